# SPDX-License-Identifier: Apache-2.0
"""Owns how long a call may take: what the contract allows, what was done to those whom it needs, and what they were measured to have
waited for a processor; no more than that and a little.

An order waits for a connection, for those before it, and for ConfD, each for RequestTimeoutSec at most. A write waits for who is
frozen, three ticks and the one in which that is noticed, and anew for each one that freezes meanwhile. """

import collections

import promises
from clients import NOT_LET
from cluster import BESLAVE_SEC, SYNC_SEC, TICK_SEC

MARGIN_SEC = 1.5     # where it is measured who waits for a processor
BUSY_SEC = 8         # where it is not, or under a sanitizer
CONNECT_SEC = 5      # the patience of our controller with a node
REACH_SEC = 10       # of a node with its master
HOLD_SEC = 10        # the longest that one event may be waited for
FROZEN_TICKS = 4


def overlap(since, until, begin, end):
    return max(0, min(until, end) - max(since, begin))


class Waits:
    """What processes could not do anything about."""

    def __init__(self, record, spans):
        self.spans, self.longest = spans, promises.find_longest(record)
        self.sync = max([SYNC_SEC, *(float(entry["value"]) for entry in record if entry["e"] == "config" and entry["kind"] == "node" and
                                     entry["key"] == "SyncTimeoutSec")])
        self.starved = [entry for entry in record if entry["e"] == "starved"]
        self.holds = collections.defaultdict(list)
        for entry in record:
            if entry["e"] == "held":
                self.holds[entry["host"]].append(entry["t"])
        up = next((entry for entry in record if entry["e"] == "up"), {})
        self.margin = MARGIN_SEC if up.get("measured") and not up["sanitized"] else BUSY_SEC

    def slept(self, host, kinds, since, until):
        return sum(overlap(since, until, begin, end) for name, kind, begin, end in self.spans if kind in kinds and name in (host, ""))

    def waited(self, host, kinds, since, until):
        """For a processor, those of the host and we ourselves."""
        return sum(min(entry["waited"], overlap(since, until, entry["since"], entry["t"])) for entry in self.starved
                   if entry["host"] == host and entry["kind"] in kinds)

    def held(self, host, since, until):
        """For subscribers that HA steps there wait for."""
        return HOLD_SEC * sum(1 for at in self.holds.get(host, ()) if since < at < until)

    def others(self, host, since, until):
        """The node of another host that has waited most."""
        names = {entry["host"] for entry in self.starved} - {host, ""}
        return max((self.waited(name, ("node",), since, until) for name in names), default=0)

    def all(self, host, kinds, since, until):
        harness = max(self.slept("", ("harness",), since, until), self.waited("", ("harness",), since, until))
        return self.margin + harness + self.slept(host, kinds, since, until) + self.waited(host, (*kinds, "node"), since, until)


def order_limit(order, waits, at):
    """Without what nobody can help: a follow that is waited for may take as long as SyncTimeoutSec says."""
    follows, since, host = order["kind"] == "be-slave", order["t"], order["host"]
    if order["by"] == "raw":
        limit = CONNECT_SEC + (max(BESLAVE_SEC, REACH_SEC + waits.sync) if follows else 0)
        return limit + waits.all(host, ("node", "link") if follows else ("node",), since, at) + waits.held(host, since, at)
    request, sync = waits.longest[host]
    limit = request * (2 + order["ahead"]) + (sync if follows and "nowait" not in order["args"] else 0)
    return limit + waits.all(host, ("service", "bus"), since, at)


def write_limit(write, waits, at):
    since, host = write["t"], write["host"]
    froze = sum(1 for name, kind, begin, _ in waits.spans if kind == "node" and name != host and since < begin < at)
    limit = (FROZEN_TICKS + 3 * froze) * TICK_SEC + waits.all(host, ("node", "bus", "link"), since, at)
    return limit + waits.others(host, since, at)


def check(record, spans):
    """What is late, as (moment, text)."""
    waits, orders, writes = Waits(record, spans), {}, {}
    for entry in record:
        kind, at, begun = entry["e"], entry["t"], None
        if kind in ("order", "plea"):
            ahead = sum(1 for order in orders.values() if order["host"] == entry["host"] and order["by"] == "service" and order["kind"] != "be-slave")
            orders[entry["n"]] = {**entry, "ahead": ahead}
        elif kind == "write":
            writes[entry["serial"]] = entry
        elif kind in ("answer", "unanswered") or kind == "pleaded" and entry["error"] in NOT_LET:
            begun = orders.pop(entry["n"])
            limit, what = order_limit(begun, waits, at), " ".join((begun["kind"], *begun["args"]))
        elif kind in ("acked", "failed", "left"):
            begun = writes.pop(entry["serial"])
            limit, what = write_limit(begun, waits, at), f"write {begun['serial']}"
        if begun and at - begun["t"] > limit:
            yield at, f"{begun['host']}: {what} is not answered within {limit:.1f} s, but after {at - begun['t']:.1f} s"
