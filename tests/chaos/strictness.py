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


def listening():
    return Story().add("listening", host="n1", boot=1).add("started", host="n1", kind="service", boot=1)


@case
def a_result_that_is_never_told_is_missed():
    def follow(story, *more, error=""):
        return story.order("n1", "be-slave", *more, error=error, silent=True)

    def peace(story, *expected):
        story.add("settled", why="peace").breaks(*expected)
    peace(result(follow(listening(), "n2", "nowait")))
    peace(follow(listening(), "n2", "nowait"), "told")
    peace(follow(listening(), "n2", "nowait", error=ERROR + "NotConnected"))
    peace(result(follow(follow(listening(), "n2", "nowait"), "n2")))
    peace(follow(result(follow(listening(), "n2", "nowait")), "n2"), "told")
    peace(result(follow(follow(listening(), "n2", "nowait"), "n3", "nowait")), "told")
    peace(result(result(follow(follow(listening(), "n2", "nowait"), "n3", "nowait"), ERROR + "Superseded")))
    peace(result(follow(follow(listening(), "n2", "nowait").order("n1", "be-none"), "n2", "nowait")), "told")
    for end in ({"entry_kind": "owner", "host": "n1", "boot": 1, "there": False}, {"entry_kind": "started", "host": "n1", "kind": "bus", "boot": 2}):
        peace(follow(listening(), "n2", "nowait").add(**end))


@case
def signals_that_do_not_add_up_to_the_status_are_seen():
    slaves, sync = [["n2", "a"]], ["master", "n1", "", 0, "lasts"]
    shows = {"host": "n1", "why": "peace", "state": "master", "nodes": [("n2", "a")], "slaves": slaves, "master": ["", ""], "sync": sync,
             "property_state": "master", "node_state": "master"}

    def story(values, *signals, between=()):
        told = listening()
        for name, *args in signals:
            signal(told, name, *args)
        told.add("changed", **SERVICE, values=values)
        for fields in between:
            told.add(**fields)
        return told.add("settled", why="peace").add("shows", **shows).add("settled", why="peace")
    values, changes = {"State": "master", "Slaves": slaves, "LastInSync": sync}, (("StateChanged", "unknown", "none", "connected"),
                                                                                  ("StateChanged", "none", "master", "order"))
    arrived = ("SlaveArrived", "n2", "a")
    story(values, *changes, arrived).breaks()
    story(values, *changes).breaks("told")
    story(values, *changes, arrived, ("SlaveDied", "n2", "a")).breaks("told")
    story(values, changes[0], arrived).breaks("told")
    for name, stale in (("State", "none"), ("Slaves", []), ("Slaves", [["n2", "b"]]), ("LastInSync", ["slave", "n2", "a", 0, "lasts"]),
                        ("Master", ["n2", "a"])):
        story({**values, name: stale}, *changes, arrived).breaks("told")
    story({name: value for name, value in values.items() if name != "State"}, *changes, arrived).breaks("told")
    story({}, between=[{"entry_kind": "listening", "host": "n1", "boot": 1}]).breaks()
    story(values, *changes, arrived).add("shows", **{**shows, "nodes": [], "slaves": []}).add("spoiled", text="").breaks()
