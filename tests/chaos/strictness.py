# SPDX-License-Identifier: Apache-2.0
"""Owns the stories of a run that looks good, and is not."""

from story import Story, case

ERROR = "org.confd.HA.Error."


SERVICE = {"host": "n1", "boot": 1, "service": 1}


def signal(story, member, *args):
    return story.add("signal", **SERVICE, member=member, args=list(args))


def result(story, error=""):
    return signal(story, "BeSlaveResult", error, "")


@case
def equal_ids_are_looked_at_whatever_is_under_way():
    def story():
        return Story().later().order("n1", "be-master").write(1).write(2).order("n2", "be-slave", "n1", "nowait", silent=True).look("n1", "id2", [1, 2])
    story().look("n2", "id2", [2], joining=True).breaks()
    story().look("n2", "id2", [1, 2]).breaks()
    story().look("n2", "id2", [1]).breaks("equal-ids", "id-of-data")
    story().look("n2", "", [1]).breaks("id-of-data")
    story().look("n2", "other", [1], {"/k/1": [2, "/k/1 2"]}).breaks("atomic")
    copied = story().add("asking", host="n2")
    data = {"host": "n2", "boot": 1, "id": "id2", "marks": [1], "keys": {}, "why": "look", "asked": copied.record[-1]["t"], "joining": False}
    copied.event("SLAVE_INITIALIZED", host="n2", data=1).add("data", **data).breaks()


@case
def a_follow_that_failed_is_over_though_nobody_waited():
    def story(error, *more):
        told = Story().write(1).order("n1", "be-slave", "n2", "nowait", silent=True)
        for kind, *args in more:
            told.order("n1", kind, *args, silent=True)
        return result(told, error=error).write(2).look("n1", "x", [1])
    story(ERROR + "Connect").breaks("acknowledged-kept")
    story(ERROR + "Aborted").breaks("acknowledged-kept")
    for error in ("Timeout", "Superseded", "Failed", "NotConnected"):
        story(ERROR + error).breaks()
    story("").breaks()
    early = Story().write(1)
    early.add("order", n=9, host="n1", kind="be-slave", args=["n2", "nowait"], by="service", boots={"node": 1})
    result(early, error=ERROR + "Connect").add("answer", n=9, host="n1", error="", text="").look("n1", "", []).breaks()
    story = Story().write(1).order("n1", "be-slave", "n2", "nowait", silent=True)
    result(story, error=ERROR + "Connect").look("n1", "", []).breaks("acknowledged-kept")
