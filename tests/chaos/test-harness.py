#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The harness itself: each invariant sees what breaks it, schedules are functions of their seeds, and shrinking finds what
matters. TAP. """

import asyncio
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest.mock

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
sys.dont_write_bytecode = True

import endurance  # noqa: E402
import invariants  # noqa: E402
import ipc  # noqa: E402
import network  # noqa: E402
import overlays  # noqa: E402
import record  # noqa: E402
import schedule  # noqa: E402
import shrink  # noqa: E402
import strictness  # noqa: E402, F401
import tap  # noqa: E402
from story import CASES, Story, case  # noqa: E402

ERROR = "org.confd.HA.Error."


@case
def a_good_story_breaks_nothing():
    story = Story().cluster().write(1, keys=["/k/1"]).write(2, keys=["/k/1"]).write(3, error="org.confd.HANode.Error.NoSpace")
    story.look("n1", "id2", [1, 2], {"/k/1": [2, "/k/1 2"]}).look("n2", "id2", [1, 2], {"/k/1": [2, "/k/1 2"]})
    story.event("IS_MASTER").event("SLAVE_ARRIVED", data="n2").event("SLAVE_DIED", data="n2").breaks()


@case
def what_was_acknowledged_is_missed_at_the_master_and_at_a_slave():
    Story().cluster().write(1).look("n1", "", []).breaks("acknowledged-kept")
    Story().cluster().write(1).look("n2", "", []).breaks("acknowledged-kept")


@case
def a_slave_that_was_cut_off_need_not_have_it():
    Story().cluster().add("fault", host="n2", kind="node", what="stop", boot=1).write(1).look("n2", "", []).breaks()


@case
def who_arrived_has_what_was_acknowledged_before():
    Story().order("n1", "be-master").write(1).order("n2", "be-slave", "n1").look("n2", "", []).breaks("acknowledged-kept")


@case
def who_died_when_its_arrival_was_told_has_the_data_when_it_is_back():
    story = Story().order("n1", "be-master").write(1)
    story.add("order", n=9, host="n2", kind="be-slave", args=["n1"], by="service", boots={"node": 1}).event("SLAVE_ARRIVED", data="n2")
    story.add("fault", host="n2", kind="node", what="kill", boot=1).add("answer", n=9, host="n2", error="org.confd.HA.Error.NotConnected", text="")
    story.look("n2", "", []).breaks()
    story.add("started", host="n2", kind="node", boot=2).look("n2", "", []).breaks("acknowledged-kept")


@case
def who_joins_a_master_that_leaves_meanwhile_need_not_have_what_comes_then():
    story = Story().order("n1", "be-master").write(1)
    story.add("order", n=9, host="n2", kind="be-slave", args=["n1"], by="service", boots={"node": 1}).event("SLAVE_INITIALIZED", host="n2")
    story.order("n1", "be-none").add("answer", n=9, host="n2", error="", text="").write(2).look("n2", "id1", [1]).breaks()
    story.look("n2", "", []).breaks("acknowledged-kept")


@case
def an_order_that_changed_nothing_says_nothing_of_the_data():
    story = Story().cluster().write(1).add("fault", host="n2", kind="node", what="stop", boot=1).write(2)
    story.order("n2", "be-slave", "n1", silent=True).look("n2", "id1", [1]).breaks()
    story.look("n2", "", []).breaks("acknowledged-kept")


@case
def a_join_that_is_not_waited_for_may_take_its_time():
    story = Story().write(1).order("n1", "be-none").order("n1", "be-slave", "n2", "nowait", silent=True)
    story.event("SLAVE_INITIALIZED").record[-1]["t"] = 100.0
    story.look("n1", "", []).breaks()


@case
def a_slave_that_left_at_once_need_not_have_what_came_then():
    story = Story().order("n1", "be-master").write(1)
    story.add("order", n=9, host="n2", kind="be-slave", args=["n1"], by="service", boots={"node": 1})
    story.event("SLAVE_INITIALIZED", host="n2").event("NOMASTER", host="n2").event("IS_NONE", host="n2").write(2)
    story.add("answer", n=9, host="n2", error="", text="").look("n2", "id1", [1]).breaks()
    story.look("n2", "", []).breaks("acknowledged-kept")


@case
def a_failed_join_leaves_the_data():
    story = Story().write(1, host="n2").order("n1", "be-master")
    story.order("n2", "be-slave", "n1", error="org.confd.HA.Error.Closed").look("n2", "", []).breaks("acknowledged-kept")


@case
def a_hole_before_what_is_there_is_seen():
    Story().write(1).write(2).look("n3", "id2", [2]).breaks("prefix")


@case
def a_write_may_reach_the_next_life_of_the_node():
    story = Story().order("n1", "be-master").order("n1", "be-none").write(1).add("write", serial=2, host="n1", boot=1, sets={"/m/2": "m"}, gone=[])
    story.add("started", host="n1", kind="node", boot=2).order("n1", "be-slave", "n2").order("n1", "be-master")
    story.add("acked", serial=2, id="id2").look("n1", "id2", [2]).breaks()
    story.look("n1", "", []).breaks("acknowledged-kept")


@case
def half_a_transaction_is_seen():
    Story().write(1, keys=["/k/1"]).look("n1", "id1", [1]).breaks("atomic")
    Story().write(1).write(2, keys=["/k/1"]).look("n3", "id1", [1], {"/k/1": [2, "/k/1 2"]}).breaks("atomic")
    Story().write(1, keys=["/k/1"]).write(2, gone=["/k/1"]).look("n1", "id2", [1, 2], {"/k/1": [1, "/k/1 1"]}).breaks("atomic")


@case
def data_that_nobody_wrote_is_seen():
    Story().write(1).look("n3", "x", [1, 2]).breaks("atomic")
    Story().write(1).look("n3", "x", [2], {"/k/1": [2, "/k/1 2"]}).breaks("atomic")
    garbage = {"host": "n1", "key": "'/k/1'", "value": "''"}
    Story().add("garbage", **garbage, by="look").breaks("atomic")
    Story().add("garbage", **garbage, by="reader").breaks("reads")
    seen = record.Record()
    good = {record.mark_of(7): "7", "/k/1": record.value_of(7, 1), "/b/7/0": record.value_of(7, 300)}
    assert seen.sort_out("n1", "look", good) == ([7], {key: [7, record.digest(good[key])] for key in ("/k/1", "/b/7/0")}) and not seen.entries
    for key, value in (("/m/0000007", "8"), ("/m/0000007", ""), ("/m/7", "7"), ("/m/x", "7"), ("/m/0000007", "7."), ("/k/1", ""), ("/k/1", "\0.\0"),
                       ("/k/1", "-7.7~"), ("/k/1", "7777777777.7~"), ("/k/1", "\u0667."), ("/k/1", 7), ("/m/0000000", "0")):
        seen.clear()
        assert seen.sort_out("n1", "start", {key: value}) == ([], {}) and [entry["e"] for entry in seen.entries] == ["garbage"], (key, value)


@case
def a_value_of_one_byte_tells_whose_it_is():
    seen = record.Record()
    values = [seen.single_value("/k/1", serial) for serial in range(1, 200)]
    written = [value for value in values if value is not None]
    assert len(set(written)) == len(written) == 116 and all(len(value.encode()) == 1 and not value.isdigit() for value in written)
    assert values[116:] == [None] * 83 and seen.single_value("/k/2", 200) == written[0]
    for number, value in enumerate(written, 1):
        assert seen.sort_out("n1", "look", {"/k/1": value}) == ([], {"/k/1": [number, record.digest(value)]}) and not seen.entries
    for key, value in (("/k/2", written[1]), ("/k/3", written[0]), ("/k/1", "é"), ("/m/0000001", written[0])):
        seen.entries.clear()
        assert seen.sort_out("n1", "look", {key: value}) == ([], {}) and [entry["e"] for entry in seen.entries] == ["garbage"], (key, value)
    seen.clear()
    assert seen.sort_out("n1", "look", {"/k/1": written[0]}) == ([], {})


@case
def who_looks_and_is_ended_by_what_it_saw_is_missed():
    seen = record.Record()

    async def look(host, answer):
        return host + int(answer)

    async def go():
        tasks = [asyncio.create_task(seen.watch(work)) for work in (look("n1", "torn"), asyncio.sleep(60), asyncio.sleep(0))]
        await asyncio.wait(tasks[::2])
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)
    ends = asyncio.run(go())
    assert [type(end) for end in ends] == [ValueError, asyncio.CancelledError, type(None)], ends
    assert [(entry["e"], entry["who"].rpartition(".")[2], entry["error"]) for entry in seen.entries] == [("broken", "look n1", "ValueError")], seen.entries
    story = Story()
    story.record += seen.entries
    story.breaks("watched")
    for frame in (b"\x83h\x02a\x01", b"\x83b\0\0", b"\x83\x01", b"a\x01", b"\x83a\x01a", b"\x83a\x01", b"\x83h\x02a\x40h\x02a\x63a\0"):
        async def hear(frame=frame):
            reader = asyncio.StreamReader()
            reader.feed_data(len(frame).to_bytes(4, "big") + frame)
            reader.feed_eof()
            return await ipc.Subscription(reader, None).event()
        try:
            assert not asyncio.run(hear()), frame
        except (ValueError, KeyError):
            pass


@case
def a_refused_write_that_is_there_is_seen():
    Story().write(1, error="org.confd.HANode.Error.NoSpace").look("n1", "x", [1]).breaks("refused-nowhere")
    Story().write(1, error="org.confd.HANode.Error.Uncertain").look("n1", "x", [1]).breaks()


@case
def who_may_have_copied_while_it_was_read_is_not_judged():
    story = Story().write(1).write(2).add("asking", host="n3")
    asked = story.record[-1]["t"]
    data = {"host": "n3", "boot": 1, "id": "id1", "marks": [1, 2], "keys": {}, "why": "look", "asked": asked, "joining": False}
    story.order("n3", "be-slave", "n1", silent=True).event("SLAVE_INITIALIZED", host="n3", data=1).add("data", **data).breaks()


@case
def an_id_is_for_one_data_only_and_that_of_its_last_transaction():
    story = Story().write(1, error="org.confd.HANode.Error.Uncertain")
    story.look("n1", "x", [1]).look("n2", "x", []).breaks("equal-ids")
    Story().write(1).write(2).look("n1", "id1", [1, 2]).breaks("id-of-data")
    Story().write(1).look("n3", "id1", []).breaks("id-of-data")


@case
def a_copy_of_equal_data_is_seen():
    Story().add("quiet").event("SLAVE_INITIALIZED", data=1).breaks("no-needless-copy")

    def story(*between, joined="n2", **replaced):
        told = Story().cluster().write(1)
        for kind, *args in between:
            told.order(joined, kind, *args)
        return told.add("replaced", **{"host": "n2", "since": told.record[-1]["t"] - 0.02, "old": "id1", "new": "id1", **replaced})
    again = ("be-slave", "n1")
    story(again).breaks("no-needless-copy")
    story(("be-none",), again, again).breaks("no-needless-copy")
    story(again, new="id2").breaks()
    story(again, old="id0", new="id0").breaks()
    story().breaks()  # it was ordered before that was acknowledged
    story(again, joined="n3").breaks()
    relay = Story().cluster().order("n1", "be-relay").write(1).order("n2", "be-slave", "n1")
    relay.add("replaced", host="n2", since=relay.record[-1]["t"] - 0.02, old="id1", new="id1").breaks()


@case
def events_and_signals_twice_or_out_of_order_are_seen():
    Story().event("SLAVE_ARRIVED", data="n2").event("SLAVE_ARRIVED", data="n2").breaks("events")
    Story().event("IS_MASTER").event("IS_MASTER").breaks("events")
    Story().event("NOMASTER").event("IS_MASTER").breaks("events")
    changed = {"host": "n1", "boot": 1, "service": 1, "member": "StateChanged"}
    Story().add("signal", **changed, args=["none", "master", "order"]).add("signal", **changed, args=["none", "slave", "order"]).breaks("signals")
    Story().add("signal", host="n1", boot=1, service=1, member="BeSlaveResult", args=["", ""]).breaks("signals")


@case
def a_read_of_one_committed_state_is_good():
    story = Story().cluster().write(1, keys=["/k/1"]).write(2, gone=["/k/1"])
    story.read(after=0, marks=[1, 2]).read(after=1, marks=[2]).read(key="/k/1", serial=None).read("n2", after=0, marks=[1, 2])
    story.read("n3", key="/k/1", serial=1).read(3, after=0, marks=[1, 2]).read(after=1, marks=[2, 3]).breaks()
    story.order("n1", "be-slave", "n3").read(after=0, marks=[1]).breaks()


@case
def a_read_that_goes_back_or_misses_what_was_acknowledged_is_seen():
    Story().cluster().write(1).read(after=0, marks=[]).breaks("reads")
    Story().cluster().write(1).read("n2", after=0, marks=[]).breaks("reads")
    Story().cluster().write(1).write(2, keys=["/k/1"]).read(key="/k/1", serial=None).breaks("reads")
    Story().cluster().write(1, keys=["/k/1"]).write(2, keys=["/k/1"]).read(key="/k/1", serial=1).breaks("reads")
    lost = "org.confd.HANode.Error.Uncertain"
    Story().write(1, error=lost).read(after=0, marks=[1]).read(after=0, marks=[]).breaks("reads")
    Story().write(1, error=lost, keys=["/k/1"]).read(key="/k/1", serial=1).look("n1", "", []).breaks("acknowledged-kept")


@case
def who_joins_need_not_have_what_was_only_read_at_the_master():
    story = Story().order("n1", "be-master").add("write", serial=1, host="n1", boot=1, sets={"/m/1": "m"}, gone=[])
    story.read(after=0, marks=[1]).order("n2", "be-slave", "n1").read("n2", after=0, marks=[]).add("acked", serial=1, id="id1").breaks()
    story.read("n2", after=0, marks=[]).breaks("reads")


@case
def an_answer_that_comes_when_other_data_is_there_is_of_what_was_before():
    story = Story().order("n2", "be-master").order("n1", "be-master").add("write", serial=1, host="n1", boot=1, sets={"/m/1": "m"}, gone=[])
    story.order("n1", "be-slave", "n2").add("acked", serial=1, id="id1").look("n1", "", []).breaks()
    story.order("n1", "be-master").write(2).look("n1", "", []).breaks("acknowledged-kept")


@case
def who_joins_a_relay_that_becomes_master_need_not_have_what_it_had_to_pass_on():
    def story(*roles):
        story = Story().cluster().order("n2", "be-relay") if roles else Story().cluster()
        story.add("write", serial=1, host="n1", boot=1, sets={"/m/1": "m"}, gone=[]).order("n2", "be-master").event("SLAVE_DIED", data="n2")
        story.add("acked", serial=1, id="id1").read("n2", after=0, marks=[1]).order("n3", "be-slave", "n2")
        return story.read("n3", after=0, marks=[])
    story("be-relay").breaks()
    story().breaks("reads")
    story("be-relay").write(2, "n2").read("n3", after=0, marks=[]).breaks("reads")


@case
def a_read_of_what_was_never_committed_is_seen():
    Story().write(1, error="org.confd.HANode.Error.NoSpace").read(after=0, marks=[1]).breaks("reads")
    Story().write(1).write(2).read("n3", after=0, marks=[2]).breaks("reads")
    Story().read(after=0, marks=[7]).breaks("reads")
    Story().write(1).read(key="/k/1", serial=1).breaks("reads")
    Story().write(1, keys=["/k/1"]).read(key="/k/1", serial=1, value="something else").breaks("reads")


@case
def holds_that_are_too_short_or_too_long_are_seen():
    held = {"host": "n1", "holder": "h1", "life": 1, "boot": 1}
    Story().add("held", **held, name="NOMASTER").add("held", **held, name="IS_NONE").breaks("holds")
    Story().add("held", **held, name="NOMASTER").add("synced", **held).add("held", **held, name="IS_NONE").breaks()
    story = Story().add("held", **held, name="NOMASTER").add("held", **held, name="IS_NONE").add("held", **held, name="IS_MASTER")
    for entry, at in zip(story.record[-2:], (10.1, 10.2)):
        entry["t"] = at
    story.breaks()
    ended = {"host": "n1", "kind": "node", "boot": 1, "status": 0, "expected": True, "excused": False}
    for last in ({"entry_kind": "event", "host": "n1", "boot": 1, "name": "IS_NONE", "data": 0}, {"entry_kind": "ended", **ended}):
        for at, *expected in ((9, ), (30, "holds")):
            story = Story().event("SLAVE_INITIALIZED").event("NOMASTER").add(**last)
            story.record[-1]["t"] = at
            story.breaks(*expected)
    for late, *expected in ((1, ), (3, "holds")):
        story = Story().add("status", host="n1", since=0.0, error="")
        story.record[-1]["t"] = late
        story.breaks(*expected)


@case
def who_is_lost_over_a_slow_link_is_missed():
    def story(*between, endured=True):
        made = Story().cluster()
        for fields in ({"entry_kind": "fault", "host": "n1", "kind": "link", "what": "rate 64", "other": "n2", "endured": endured}, *between):
            made.add(**fields)
        made.event("SLAVE_DIED", data="n2")
        made.record[-1]["t"] = 9.0
        for entry in made.record[-1 - len(between):-1]:
            entry["t"] = 8.0
        return made
    story().breaks("slow")
    story(endured=False).breaks()
    story({"entry_kind": "fault", "host": "n2", "kind": "node", "what": "stop", "boot": 1}).breaks()
    story({"entry_kind": "stalled", "since": 6.0}).breaks()
    story({"entry_kind": "whole", "pair": ["n1", "n2"]}).breaks()


@case
def a_time_that_no_clock_had_is_seen():
    changed = {"host": "n1", "boot": 1, "service": 1}
    for ended, how, *expected in ((1e9, "order"), (2e9, "order"), (0, "lasts"), (0, "order", "clocks"), (1e9, "lasts", "clocks"), (3e9, "order", "clocks")):
        story = Story().add("clock", host="n1", offset=1e9, real=1e9 + 0.04)
        story.add("changed", **changed, values={"LastInSync": ["slave", "n2", "a", int(ended * 1e6), how]}).breaks(*expected)
    Story().add("disturbed", text="n2").breaks("clocks")


def late_story(*between):
    story = Story()
    story.add("order", n=1, host="n1", kind="be-master", args=[], by="service", boots={"node": 1})
    for fields in between:
        story.add(**fields)
    story.add("answer", n=1, host="n1", error="", text="")
    story.record[-1]["t"] = 100.0
    return story


@case
def what_is_late_is_seen_unless_nobody_could_run():
    late_story().breaks("answered-in-time")
    stalled = late_story({"entry_kind": "stalled", "since": 0.0})
    stalled.record[4]["t"] = 99.0
    stalled.breaks()
    Story().add("late", host="n1", boot=1, since=0.0, late=5.0, bus=0.01).breaks("responsive")


@case
def an_end_that_nobody_wanted_is_seen():
    ended = {"host": "n1", "kind": "node", "boot": 1}
    Story().add("ended", **ended, status=-11, expected=False, excused=True).breaks("alive")
    Story().add("ended", **ended, status=1, expected=False, excused=True).breaks()
    Story().add("sanitizer", text="heap-use-after-free").breaks("alive")
    Story().add("unsettled", text="n2").breaks("settles")


@case
def peace_is_looked_at():
    story = Story().add("settled", why="peace").write(1)
    story.look("n1", "id1", [1], why="peace").look("n3", "", [], why="peace").breaks("peace")
    shows = {"host": "n1", "why": "peace", "state": "master", "nodes": [["n2", "a"]], "slaves": [], "master": ["", ""],
             "sync": ["master", "n1", "", 0, "lasts"]}
    Story().add("shows", **shows, property_state="master", node_state="master").breaks("peace")
    Story().add("shows", **{**shows, "slaves": [["n2", "a"]]}, property_state="master", node_state="none").breaks("peace")
    shows = {**shows, "slaves": [["n2", "a"]], "property_state": "master", "node_state": "master"}
    Story().add("shows", **shows).breaks()
    Story().add("shows", **{**shows, "sync": ["master", "n1", "", 10**15, "order"]}).breaks("peace")
    Story().add("shows", **{**shows, "sync": ["slave", "n2", "", 0, "lasts"]}).breaks("peace")
    Story().add("size", host="n1", kind="node", descriptors=1000, memory=1).breaks("bounded")


@case
def settings_that_do_not_hold_are_seen():
    read = {"host": "n1", "kind": "node", "settings": {}}
    Story().add("reloaded", **read, broken=False, error="").add("reloaded", **read, broken=True, error="org.confd.HA.Error.BadConfiguration").breaks()
    Story().add("reloaded", **read, broken=True, error="").breaks("configured")
    Story().add("reloaded", **read, broken=False, error="org.confd.HA.Error.BadConfiguration").breaks("configured")
    Story().add("unconfigured", text="too late").breaks("configured")
    for least, after, *expected in ((None, 2, "configured"), (None, 3), (0.7, 2), (0.7, 0.5, "configured")):
        story = Story()
        if least:
            story.add("config", host="n1", kind="service", key="RequestTimeoutSec", value=str(least))
        story.order("n1", "be-none", error="org.confd.HA.Error.Timeout")
        story.record[-1]["t"] = story.record[-2]["t"] + after
        story.breaks(*expected)
    for longest, *expected in ((3, "answered-in-time"), (30, )):
        story = Story().add("config", host="n1", kind="service", key="RequestTimeoutSec", value=longest).order("n1", "be-none")
        story.record[-1]["t"] = 60
        story.breaks(*expected)


def take_over(story, host="n2", old="n1", marks=(), error=""):
    if error:
        return story.order(host, "take-over", old, error=error)
    story.add("order", n=99, host=host, kind="take-over", args=[old], by="service", boots={"node": 1}).event("IS_MASTER", host=host)
    story.add("answer", n=99, host=host, error="", text="")
    return story.look(host, f"id{max(marks)}" if marks else "", list(marks), why="taken-over")


@case
def who_takes_over_without_what_was_acknowledged_is_seen():
    dies = {"entry_kind": "fault", "kind": "node", "what": "kill", "boot": 1}
    take_over(Story().cluster().write(1).add(host="n1", **dies), marks=[1]).breaks()
    take_over(Story().cluster().write(1).add(host="n1", **dies)).breaks("take-over", "acknowledged-kept")
    # It was gone first, and cannot know.
    take_over(Story().cluster().add(host="n2", **dies).write(1).add(host="n1", **dies)).breaks("take-over")
    take_over(Story().cluster().add(host="n2", **dies).write(1), error="org.confd.HA.Error.NotInSync").breaks()
    # It was cut off first, and is right: the master was lost.
    take_over(Story().cluster().event("NOMASTER", host="n2").event("IS_NONE", host="n2").write(1)).breaks()
    take_over(Story().cluster().add("fault", host="n1", kind="link", what="cut", other="n2").write(1)).breaks()


@case
def who_takes_over_from_somebody_else_or_after_a_join_that_failed_is_seen():
    take_over(Story().cluster(), old="n3").breaks("take-over")
    take_over(Story().cluster(), old="n2").breaks("take-over")
    take_over(Story().cluster(), old="any").breaks()
    take_over(Story().cluster().order("n2", "be-slave", "n3", error="org.confd.HA.Error.Connect")).breaks("take-over")
    story = Story().cluster().order("n2", "be-slave", "n3", error="org.confd.HA.Error.Connect").order("n2", "be-slave", "n1")
    take_over(story).breaks()
    story = Story().cluster().add("order", n=9, host="n2", kind="be-master", args=[], by="raw", boots={"node": 1}).event("IS_MASTER", host="n2")
    take_over(story.add("answer", n=9, host="n2", error="", text="").event("IS_NONE", host="n2")).breaks()


@case
def a_past_that_was_told_and_is_forgotten_is_seen():
    was = ["slave", "n1", "a", 0, "lasts"]
    for sync, *expected in ((was, ), (["slave", "n1", "a", int(1e15), "outage"], ), (["", "", "", 0, ""], "past"),
                            (["master", "n2", "", int(1e15), "outage"], "past")):
        story = Story().add("changed", host="n2", boot=1, service=1, values={"LastInSync": was}).add("dark", host="n2")
        story.add("past", host="n2", boot=2, sync=sync).breaks(*expected)
        forgotten = () if sync[4] else ("past", )  # whatever came since, there was a past
        story = Story().add("changed", host="n2", boot=1, service=1, values={"LastInSync": was}).event("IS_NONE", host="n2").add("dark", host="n2")
        story.add("past", host="n2", boot=2, sync=sync).breaks(*forgotten)
        story = Story().add("order", n=1, host="n2", kind="be-none", args=[], by="service", boots={"node": 1})
        story.add("changed", host="n2", boot=1, service=1, values={"LastInSync": was}).add("dark", host="n2")
        story.add("past", host="n2", boot=2, sync=sync).breaks(*forgotten)


@case
def a_service_whose_files_fail_says_so_or_knows_its_past():
    was, none = ["slave", "n1", "a", int(1e15), "order"], ["", "", "", 0, ""]
    says = {"what": "written", "error": "Input/output error"}

    def story(call, error, sync, *complaints, status=0, told="knows"):
        made = Story().later()
        made.add("knows", host="n2", sync=was) if told == "knows" else made.add("changed", host="n2", boot=1, service=1, values={"LastInSync": was})
        for complaint in complaints:
            made.add("complains", host="n2", **complaint)
        made.add("fired", host="n2", kind="service", call=call, error=error, status=status, what=f"service:{call} 1 {error}")
        return made.add("past", host="n2", boot=2, sync=sync)
    other = [*was[:3], int(2e15), "order"]
    for error, sync, complaints, *expected in (("EIO", was, ()), ("EIO", none, (), "past"), ("EIO", other, (), "past"), ("EIO", none, (says, )),
                                               ("EIO+", none, (), "past"), ("EIO+", was, (), "past"), ("EIO+", none, (says, )),
                                               ("EIO+", none, ({**says, "error": "No space left on device"}, ), "past"),
                                               ("EIO+", none, ({**says, "what": "read"}, ), "past"), ("ENOSPC+", none, (says, ), "past"), ("DIE", none, (), "past")):
        story("write", error, sync, *complaints).breaks(*expected)
    story("read", "EIO", was).breaks("past")
    story("read", "EIO", none, {**says, "what": "read"}).breaks()
    # Who is killed may have had no time to say it, and may have written what it had no time to tell.
    story("write", "EIO+", none, status=-9).breaks()
    story("write", "DIE", other, status=-9, told="changed").breaks()
    story("write", "DIE", none, status=-9, told="changed").breaks("past")
    Story().add("complains", host="n2", **says).add("past", host="n2", boot=2, sync=was).breaks("past")
    # It may say so before anybody looks at what it knows; that the call came is known when it has ended.
    for fires, broken in ((True, ()), (False, ("past", ))):
        made = Story().add("started", host="n2", kind="service", boot=2).add("complains", host="n2", **says).add("past", host="n2", boot=2, sync=was)
        if fires:
            made.add("fired", host="n2", kind="service", call="open", error="EIO+", status=0, what="service:open 1 EIO+")
        made.add("started", host="n2", kind="service", boot=3).add("past", host="n2", boot=3, sync=was).breaks(*broken)
    Story().add("forgetful", host="n2", error=ERROR + "NotInSync").breaks()
    Story().add("forgetful", host="n2", error="").breaks("past")


@case
def a_load_that_was_refused_or_is_not_copied_is_seen():
    def story(*loads, copied=1):
        made = Story().cluster().add("action", text="9.00 bulk n1 61")
        for size in loads:
            made.add("loaded", host="n1", mebibytes=size)
        return made.event("IS_NONE", host="n2").event("SLAVE_INITIALIZED", host="n2", data=copied)
    story(*[4] * 5).breaks()
    story(*[4] * 4).breaks("copied")
    story(*[4] * 5, copied=0).breaks("copied")
    # In peace it is written at who is master then.
    for slave, broken in (("n1", ()), ("n3", ("copied", ))):
        made = story(4)
        for _ in range(5):
            made.add("loaded", host="n3", mebibytes=4)
        made.event("IS_NONE", host=slave).event("SLAVE_INITIALIZED", host=slave, data=1).breaks(*broken)


@case
def a_schedule_is_a_function_of_its_seed_and_survives_being_text():
    for seed in range(200):
        made = schedule.make(seed, {"network", "mount", "preload"})
        assert str(made) == str(schedule.make(seed, {"preload", "mount", "network"}))
        assert schedule.parse(str(made)) == made, seed
        assert not schedule.make(seed, set()).needs()


@case
def a_kind_that_is_laid_over_a_schedule_changes_nothing_else_in_it():
    words, seen = {"network", "mount", "preload"}, set()
    for seed in range(200):
        base, laid = schedule.make(seed, words), schedule.make(seed, words | set(overlays.KINDS))
        assert str(laid) == str(schedule.make(seed, words | set(overlays.KINDS))) and schedule.parse(str(laid)) == laid, seed
        more = collections.Counter()
        for kind in overlays.KINDS:
            with_kind = collections.Counter(schedule.make(seed, words | {kind}).actions)
            assert with_kind >= collections.Counter(base.actions), (seed, kind)
            more += with_kind - collections.Counter(base.actions)
            seen |= {kind} if with_kind != collections.Counter(base.actions) else set()
        assert collections.Counter(laid.actions) == collections.Counter(base.actions) + more, seed
    assert seen == set(overlays.KINDS), seen


@case
def links_are_netems_where_the_kernel_has_it():
    def told(has_netem, *steps):
        with tempfile.TemporaryDirectory(prefix="chaos-test.") as work:
            log = pathlib.Path(work) / "log"
            for name, end in (("tc", f'case "$*" in *netem*) exit {0 if has_netem else 2};; esac'), ("nft", "sed 's/^/nft: /' >>$LOG; echo >>$LOG")):
                path = pathlib.Path(work) / name
                path.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin LOG={log}\necho "{name} $*" >>$LOG\n{end}\n')
                path.chmod(0o700)
            with unittest.mock.patch.dict(os.environ, {"PATH": work, network.ISOLATED: "1"}):
                links = network.Links("127.77.1")
                log.write_text("")
                for name, *args in steps:
                    getattr(links, name)(*args)
                able = {kind for kind in ("lossy", "slow", "rate", "delay", "cut", "gap", "half", "reset") if links.can(kind)}
            return able, log.read_text().splitlines()
    lossy, slow = ("set", "n1", "n2", "lossy 20"), ("set", "n2", "n1", "slow 64")
    way = ["tc class add dev lo parent 1: classid 1:{0} htb rate 100gbit quantum 200000",
           "tc filter add dev lo parent 1: protocol ip prio 1 u32 match ip src {1}/32 match ip dst {2}/32 flowid 1:{0}"]
    able, lines = told(True, lossy, slow, ("shape", "n1", "n2", "delay 200"), ("shape", "n1", "n2", None), ("set", "n1", "n2", "cut"), ("heal", ))
    assert able == {"lossy", "slow", "rate", "delay"}
    assert [line for line in lines if line.startswith("tc")] == [
        "tc qdisc add dev lo root handle 1: htb default 0", *(line.format(1, "127.77.1.1", "127.77.1.2") for line in way),
        "tc qdisc add dev lo parent 1:1 handle 2: netem loss 20%", *(line.format(2, "127.77.1.2", "127.77.1.1") for line in way),
        "tc qdisc add dev lo parent 1:2 handle 3: netem rate 64kbps limit 2",
        "tc qdisc del dev lo parent 1:1", "tc qdisc add dev lo parent 1:1 handle 2: netem delay 200ms limit 10000 loss 20%",
        "tc qdisc del dev lo parent 1:1", "tc qdisc add dev lo parent 1:1 handle 2: netem loss 20%",
        "tc qdisc del dev lo parent 1:1", "tc qdisc del dev lo root"], lines
    rules = [line for line in lines if line.startswith("nft: ip")]
    assert rules == ["nft: ip saddr 127.77.1.1 ip daddr 127.77.1.2 tcp dport != 4565 drop"], lines
    able, lines = told(False, lossy, slow, ("heal", ))
    assert not able and not [line for line in lines if line.startswith("tc")] and sum("20 drop" in line for line in lines) == 2, lines


@case
def mutants_fit_the_source_and_say_what_finds_them():
    mutants = HERE / "mutants"
    names = {path.stem for path in mutants.glob("*.patch")}
    assert names == {path.stem for path in mutants.glob("*.schedule")} and len(names) >= 16, names
    for name in sorted(names):
        text = (mutants / f"{name}.schedule").read_text()
        assert schedule.parse(text).actions, name
        expected = next(line.split()[2:] for line in text.splitlines() if line.startswith("# expects "))
        assert expected and all(re.search(rf"(^|, ){word}\b", invariants.__doc__, re.M) for word in expected), (name, expected)
        done = subprocess.run(["patch", "-p1", "-F0", "--dry-run", "-s", "-d", HERE.parent.parent, "-i", mutants / f"{name}.patch"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, (name, done.stdout)


@case
def what_is_spared_is_not_ended_and_what_grows_is_seen():
    for seed in range(100):
        plan = endurance.spare(schedule.make(seed, {"network", "preload", *overlays.KINDS}, endurance.NODES))
        assert plan.nodes == endurance.NODES
        for action in plan.actions:
            assert action.verb not in ("kill", "end", "strike", "fault") or action.args[0] != endurance.SPARED, action
            assert action.verb != "power" or endurance.SPARED not in action.args and action.args, action
    level = [(20 + n % 3, 5000 + 300 * (n % 4)) for n in range(30)]

    def grown(sizes):
        return len(list(endurance.growth({("n1", "node", 1): sizes})))
    assert grown(level) == 0
    assert grown([(fds + n // 10 * 2, memory) for n, (fds, memory) in enumerate(level)]) == 1
    assert grown([(fds, memory + 80 * n) for n, (fds, memory) in enumerate(level)]) == 1
    assert grown([(fds, memory + 80 * n) for n, (fds, memory) in enumerate(level[:endurance.POINTS_MIN - 1])]) == 0


@case
def a_life_that_is_too_short_to_be_judged_is_seen():
    def seen(node, service, minutes):
        return len(list(endurance.unjudged({("n1", "node", 1): [(1, 1)] * node, ("n1", "service", 1): [(1, 1)] * service,
                                            ("n2", "node", 1): [(1, 1)] * 99}, minutes)))
    assert seen(9, 9, 60) == 0 and seen(8, 9, 60) == 1 and seen(9, 8, 15) == 1 and seen(8, 8, 14) == 0
    assert len(list(endurance.unjudged({}, 15))) == 2


@case
def what_check_runs_has_whatever_schedules_can_have():
    def covered(seeds):
        return {feature for seed in seeds for feature in (*schedule.features(schedule.make(seed, overlays.WORDS)), *schedule.words_of(seed, overlays.WORDS))}
    chosen = schedule.seeds_in(HERE / "seeds-of-check")
    seen = covered(chosen)
    assert len(chosen) == len(set(chosen)) == 20
    assert seen >= covered(range(1, 600)), covered(range(1, 600)) - seen
    # What pauses and cannot be done is for the sweep, which is in seeds.
    assert seen >= schedule.VERBS - {"rest"} | set(overlays.KINDS) | {f"{nodes} nodes" for nodes in range(3, 8)}
    assert seen >= {f"fault {call}" for call in (*schedule.CALLS, *schedule.KEPT)}


@case
def shrinking_keeps_what_the_failure_needs():
    plan = schedule.make(3, {"network", "mount", "preload"})
    needed = {plan.actions[2], plan.actions[-3]}
    short, _ = shrink.shrink(plan, "it", lambda tried: [("it", 0, "")] if needed <= set(tried.actions) else [("other", 0, "")], 400)
    assert set(short.actions) == needed, short


if __name__ == "__main__":
    tap.run([(function.__name__, function) for function in CASES])
