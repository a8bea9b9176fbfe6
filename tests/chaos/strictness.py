# SPDX-License-Identifier: Apache-2.0
"""Owns the stories of a run that looks good, and is not."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import types

import invariants
import schedule
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
    story().event("SLAVE_INITIALIZED", host="n2", data=1).look("n2", "id2", [1]).breaks("acknowledged-kept", "equal-ids", "id-of-data")
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
    peace(follow(listening(), "n2", "nowait", error=ERROR + "Connect"), "told")
    peace(result(follow(listening(), "n2", "nowait", error=ERROR + "Connect"), ERROR + "Connect"))
    peace(result(follow(follow(listening(), "n2", "nowait"), "n2")))
    peace(follow(result(follow(listening(), "n2", "nowait")), "n2"), "told")
    peace(result(follow(follow(listening(), "n2", "nowait"), "n3", "nowait")), "told")
    peace(result(result(follow(follow(listening(), "n2", "nowait"), "n3", "nowait"), ERROR + "Superseded")))
    peace(result(follow(follow(listening(), "n2", "nowait").order("n1", "be-none"), "n2", "nowait")), "told")
    def three():
        return follow(follow(follow(listening(), "n3", "nowait"), "n2", "nowait"), "n2")
    peace(result(result(three())))
    peace(result(follow(result(three()), "n2")), "told")
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


@case
def what_the_contract_does_not_allow_is_late():
    def story(took, *between, write=False, measured=True, **order):
        told = Story()
        told.record[0]["measured"] = measured
        if write:
            told.add("write", serial=1, host="n1", boot=1, sets={}, gone=[])
        else:
            told.add("order", **{"n": 1, "host": "n1", "kind": "be-none", "args": [], "by": "service", "boots": {"node": 1}, **order})
        since = told.record[-1]["t"]
        for fields in between:
            told.later(fields.pop("after", 0)).add(**fields)
        told.add("failed", serial=1, error="chaos.Gone") if write else told.add("answer", n=1, host="n1", error="", text="")
        told.record[-1]["t"] = since + took
        return told
    follow, late = {"kind": "be-slave", "args": ["n2"]}, "answered-in-time"
    for fields, good, bad in (({}, 7, 8), (follow, 32, 33), ({**follow, "args": ["n2", "nowait"]}, 7, 8), ({"by": "raw"}, 6, 7),
                              ({**follow, "by": "raw"}, 31, 32), ({"write": True}, 5, 6), ({"write": True, "measured": False}, 11, 13)):
        story(good, **fields).breaks()
        story(bad, **fields).breaks(late)

    def starved(host, kind, seconds):
        return {"entry_kind": "starved", "host": host, "kind": kind, "since": 0.1, "waited": seconds, "after": seconds + 0.1}
    for host, kind, *expected in (("n1", "node"), ("n1", "bus"), ("", "harness"), ("n2", "node"), ("n2", "service", late)):
        story(8, starved(host, kind, 4), write=True).breaks(*expected)
    story(8, starved("n1", "node", 2), write=True).breaks(late)
    asleep = {"host": "n2", "kind": "node", "boot": 1}
    frozen = ({"entry_kind": "fault", **asleep, "what": "stop"}, {"entry_kind": "fault", **asleep, "what": "cont", "after": 6})
    story(8, *map(dict, frozen), write=True).breaks()
    story(9, *map(dict, frozen), write=True).breaks(late)
    config = Story().add("config", host="n1", kind="service", key="RequestTimeoutSec", value="6", broken=False)
    config.add("order", n=1, host="n1", kind="be-none", args=[], by="service", boots={"node": 1}).later(13).add("answer", n=1, host="n1", error="", text="")
    config.breaks()
    first, second, other = (invariants.check(story(took, write=True).record) for took in (8, 9, 10))
    other = [other[0]._replace(text=other[0].text.replace("n1", "n2"))]
    assert invariants.who_is_late(first[0]) == invariants.who_is_late(second[0]) == ("answered-in-time", "n1:", "write")
    assert invariants.who_is_late(other[0]) != invariants.who_is_late(first[0])


@case
def an_order_that_is_not_refused_while_somebody_inhibits_is_seen():
    denied = "org.freedesktop.DBus.Error.AccessDenied"

    def begin(*more):
        story = Story().add("polkit", host="n1", there=True).add("inhibiting", host="n1", holder="i1").add("inhibits", host="n1", holder="i1")
        for fields in more:
            story.add(**fields)
        return story

    def plea(story, error, kind="be-none", *args, user="other", between=(), later=0):
        story.add("order" if error not in (ERROR + "Inhibited", denied) else "plea", n=7, host="n1", kind=kind, args=list(args), by="service",
                  boots={"node": 1}, user=user)
        for fields in between:
            story.add(**fields)
        story.later(later).add("pleaded", n=7, host="n1", error=error)
        return story if error in (ERROR + "Inhibited", denied) else story.add("answer", n=7, host="n1", error=error, text="")
    lets, free = ({"entry_kind": kind, "host": "n1", "holder": "i1"} for kind in ("lets", "free"))
    other = [{"entry_kind": kind, "host": "n1", "holder": "i2"} for kind in ("inhibiting", "inhibits")]
    ends = {"entry_kind": "fault", "host": "n1", "kind": "service", "what": "kill", "boot": 1}
    bad, inhibited = "inhibited", ERROR + "Inhibited"
    plea(begin(), inhibited).breaks()
    for error in ("", ERROR + "NotConnected", ERROR + "BadState"):
        plea(begin(), error).breaks(bad)
        plea(begin(), error, user="holder").breaks()
        plea(begin(), error, "slave-dead", "n2").breaks()
        plea(begin(), error, between=[lets]).breaks()
        plea(begin(lets), error).breaks()
        plea(begin(ends), error).breaks()
        plea(begin(), error, between=[ends]).breaks()
        plea(begin({"entry_kind": "polkit", "host": "n1", "there": False}), error).breaks()
        plea(begin(*other, lets, free), error).breaks(bad)
        plea(begin(lets, free, other[0], ends, other[1]), error).breaks()  # the service was gone when its answer was read
    plea(begin(), denied).breaks(bad)
    plea(begin(), denied, later=3).breaks()
    plea(begin(), inhibited, later=20).breaks("answered-in-time")
    plea(begin(), inhibited, "slave-dead", "n2").breaks(bad)
    plea(begin(lets), inhibited).breaks()
    plea(begin(lets, free), inhibited).breaks(bad)
    plea(begin(lets, free), inhibited, between=[other[0]]).breaks()
    begin(lets).later(9).add(**free).breaks(bad)
    begin(lets, ends).later(9).add(**free).breaks()
    Story().order("n1", "be-none", error=inhibited).breaks(bad)
    Story().add("uninhibited", text="n1: it is listed").breaks(bad)


@case
def an_order_that_was_refused_as_inhibited_is_none():
    story = Story().cluster().write(1)
    story.add("polkit", host="n2", there=True).add("inhibiting", host="n2", holder="i1").add("inhibits", host="n2", holder="i1")
    story.add("plea", n=9, host="n2", kind="be-slave", args=["n3"], by="service", boots={"node": 1}, user="other")
    story.add("pleaded", n=9, host="n2", error=ERROR + "Inhibited").write(2).look("n2", "id1", [1]).breaks("acknowledged-kept")


def program():
    """The program `run`, as a module."""
    loader = importlib.machinery.SourceFileLoader("chaos_run", str(pathlib.Path(__file__).with_name("run")))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("chaos_run", loader))
    loader.exec_module(module)
    return module


@case
def of_a_run_that_was_late_both_results_are_told_and_the_second_counts():
    plan, run = schedule.parse("0.00 order n1 be-master"), program()
    late = ("answered-in-time", 3.0, "n1: write 4 is not answered within 5.0 s, but after 8.0 s")
    other = ("answered-in-time", 3.0, "n2: be-none is not answered within 7.0 s, but after 8.0 s")
    worse = ("peace", 3.0, "n2 does not have the data of n1")
    for first, second, *told in (([late], [], "second run: holds"), ([late], [late], "late both times: answered-in-time n1: write"), ([late], [other]),
                                 ([late], [worse]), ([late, worse], None)):
        runs, said = [first] + ([second] if second is not None else []), io.StringIO()
        options = types.SimpleNamespace(tap=True, keep=None)
        harness = types.SimpleNamespace(capabilities=set(), options=options, run=lambda *_, runs=runs: runs.pop(0))
        with contextlib.redirect_stdout(said):
            found, _, _ = run.Report(harness).one("seed 1", plan)
        assert found == (first if second is None else second) and not runs, (found, runs)
        lines = said.getvalue().splitlines()
        assert len(lines) == (0 if second is None else 1 + len(second) + len(told)), lines
        assert all(f"# seed 1, {text}" in lines for text in told), lines
