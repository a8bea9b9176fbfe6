# SPDX-License-Identifier: Apache-2.0
"""Owns what is laid over the schedule of a seed: kinds of trouble that go on beside everything else.

Each kind has a random stream of its own, so that a schedule without it, and every other kind, is what it was before there was
this one. A kind is laid over a schedule only if the words that the schedule is made for name it. """

import random

HOUR, DAY, YEAR = 3600, 86400, 31557600
STEPS = (-20 * YEAR, -YEAR, -DAY, -HOUR, -7, 7, HOUR, DAY, YEAR, 20 * YEAR, 150 * YEAR)

LARGE_SHARE = 0.04


class Overlay:
    """What one kind does beside a schedule."""

    def __init__(self, kind, plan):
        self.rng = random.Random(f"chaos {kind} {plan.seed}")
        self.plan, self.actions = plan, []
        self.names = [f"n{i + 1}" for i in range(plan.nodes)]
        self.end = max(action.at for action in plan.actions)

    def add(self, at, verb, *args):
        self.actions.append((round(max(0, float(at)), 2), verb, tuple(map(str, args))))

    def moment(self):
        return self.rng.uniform(0.1, self.end)

    # ---- the kinds ----

    def clock(self):
        """Clocks are stepped, of one host or of all at once."""
        if self.rng.random() < 0.5:
            return
        for _ in range(self.rng.randint(2, 6)):
            at = self.moment()
            for name in self.names if self.rng.random() < 0.2 else [self.rng.choice(self.names)]:
                self.add(at, "clock", name, self.rng.choice(STEPS))

    def readers(self):
        """Clients that read at every host without a pause, from the beginning to the end."""
        if self.rng.random() < 0.4:
            return
        for number, name in enumerate(self.names, 1):
            self.add(0, "read", f"r{number}", name)

    def holders(self):
        """Subscribers for whom HA steps wait, and who are late, silent, or gone."""
        if self.rng.random() < 0.5:
            return
        for number in range(1, self.rng.randint(2, 4)):
            at = self.rng.uniform(0.2, self.end * 0.7)
            self.add(at, "hold", f"h{number}", self.rng.choice(self.names), self.rng.choice((0.05, 0.4, 2, 9, "never", "never", "vanish")))
            if self.rng.random() < 0.3:
                self.add(self.rng.uniform(at, self.end), "let", f"h{number}")

    def copies(self):
        """In few schedules, which take long: a slave joins that has to copy up to 200 MiB, while writers write."""
        if self.rng.random() >= LARGE_SHARE or self.plan.nodes > 4 or self.plan.disk:
            return
        master, slave = self.rng.sample(self.names, 2)
        self.add(self.end, "order", master, "be-master")
        self.add(self.end, "write", "w1", master, "mixed")
        self.add(self.end, "order", slave, "be-none")
        self.add(self.end, "bulk", master, self.rng.randint(60, 200))
        for later in (2, 4):
            self.add(self.end + later, "order", slave, "be-slave", master)
        self.add(self.end + 4.5, "write", "w2", master, "small")
        self.end += 5

    def links(self):
        """Links that are narrow, long or jerky for a while, or break in one of two ways. Not of seven nodes: what a proxy of ours
        takes of the processor for them is more than a deadline has to spare on a busy machine."""
        if self.rng.random() < 0.5 or self.plan.nodes > 5:
            return
        for _ in range(self.rng.randint(1, 4)):
            at, (one, two) = self.moment(), self.rng.sample(self.names, 2)
            kind = self.rng.choice(("rate", "rate", "delay", "delay", "gap", "half", "reset"))
            value = {"rate": (16, 64, 1024), "delay": (20, 200, 800), "gap": (100, 500, 2000)}.get(kind)
            self.add(at, "link", one, two, kind, *([self.rng.choice(value)] if value else []))
            if value and self.rng.random() < 0.7:
                self.add(at + self.rng.uniform(0.5, 4), "whole", one, two)


    def master_at(self, at):
        """Who is the master then, as far as the orders of the schedule have it."""
        orders = [action for action in self.plan.actions if action.verb == "order" and action.args[1] == "be-master" and action.at <= at]
        return orders[-1].args[0] if orders else self.names[0]

    def other(self, *but):
        return self.rng.choice([name for name in self.names if name not in but])

    def config(self):
        """Settings change, and are read by a signal, a call or the next start; files are broken."""
        if self.rng.random() < 0.5:
            return
        for _ in range(self.rng.randint(2, 7)):
            name, kind = self.rng.choice(self.names), self.rng.choice(("node", "service"))
            if self.rng.random() < 0.3:
                self.add(self.moment(), "config", name, kind, "broken")
                continue
            key, values = self.rng.choice(SETTINGS[kind])
            self.add(self.moment(), "config", name, kind, key, self.rng.choice(values), *(["later"] if self.rng.random() < 0.3 else []))

    def takeover(self):
        """Nodes take over from a master that is dead, asleep, gone or well, and from such as never was theirs."""
        if self.rng.random() < 0.4:
            return
        for _ in range(self.rng.randint(1, 3)):
            at = self.moment()
            old = self.master_at(at)
            new = self.other(old)
            way = self.rng.choice(("kill", "kill", "kill", "stop", "end", "service", "nothing"))
            if way == "end":
                self.add(at, "end", old, "node")
            elif way == "service":  # nobody is there who sees how it ends
                self.add(at - 0.1, "kill", new, "service")
                self.add(at, "kill", old, "node")
                self.add(at + 0.2, "start", new, "service")
            elif way != "nothing":
                self.add(at, way, old, "node")
            at += self.rng.choice((0, 0.2, 0.5, 1))
            for name in [new] + ([self.other(new)] if self.rng.random() < 0.3 else []):
                self.add(at, "order", name, "take-over", self.rng.choice((old, old, "any", name, self.other(name))))
            self.add(at + 0.05, "write", "w1", new, "small")
            for name in self.names:
                if name not in (old, new) and self.rng.random() < 0.6:
                    self.add(at + 0.2, "order", name, "be-slave", new)
            self.add(at + 0.6, "cont", old, "node")
            self.add(at + 0.6, "start", old, "node")
            if self.rng.random() < 0.7:
                self.add(at + 1, "order", old, *self.rng.choice((("be-slave", new), ("take-over", old), ("take-over", "any"))))

    def vanish(self):
        """Controllers that are gone as soon as they have given an order."""
        if self.rng.random() < 0.5:
            return
        for _ in range(self.rng.randint(1, 4)):
            name, kind = self.rng.choice(self.names), self.rng.choice(("be-master", "be-none", "be-slave", "be-slave"))
            self.add(self.moment(), "raw", name, kind, *([self.other(name)] if kind == "be-slave" else []), "vanish")

    def keeping(self):
        """What services keep is on disks that fail."""
        if self.rng.random() < 0.5:
            return
        for _ in range(self.rng.randint(1, 2)):
            at, name = self.moment(), self.rng.choice(self.names)
            master = self.master_at(at)
            error = self.rng.choice(("EIO", "EIO+", "EIO+", "ENOSPC+", "DIE"))
            self.add(at, "end", name, "service")
            self.add(at + 0.2, "fault", name, f"service:{self.rng.choice(KEPT_CALLS)}", self.rng.choice((1, 1, 2, 3, 4, 6)), error)
            self.add(at + 0.3, "start", name, "service")
            for later in (0.6, 0.9):
                self.add(at + later, "order", name, *self.rng.choice((("be-slave", self.other(name)), ("be-master", ), ("be-none", ), ("take-over", "any"))))
            if error == "DIE":
                for kind in ("node", "service"):
                    self.add(at + 1.5, "start", name, kind)
            elif self.rng.random() < 0.4:
                self.add(at + 1.2, "kill", name, "service")
                self.add(at + 1.4, "start", name, "service")
            if name != master:
                self.add(at + 1.8, "order", name, "be-slave", master)

    def inhibit(self):
        """Somebody inhibits role orders for a while, and ordinary users give some all the time."""
        if self.rng.random() < 0.5:
            return
        for number in range(1, self.rng.randint(2, 4)):
            at, name, lasts = self.moment(), self.rng.choice(self.names), self.rng.choice((0.3, 1, 3))
            self.add(at, "inhibit", f"i{number}", name, lasts, self.rng.choice(("close", "process")), self.rng.choice(("user", "root")))
            for _ in range(self.rng.randint(2, 6)):
                kind = self.rng.choice(("be-master", "be-none", "be-relay", "be-slave", "be-slave", "slave-dead", "take-over"))
                self.add(at + self.rng.uniform(-0.2, lasts + 0.5), "plain", name, kind, *([self.other(name)] if kind in ("be-slave", "slave-dead") else []),
                         *([self.rng.choice((name, "any"))] if kind == "take-over" else []))
            if self.rng.random() < 0.4:
                self.add(at + self.rng.uniform(0, lasts), "order", name, "be-slave", self.other(name))
            if self.rng.random() < 0.2:  # what it keeps of them is nothing
                self.add(at + lasts / 2, "kill", name, "service")
                self.add(at + lasts / 2 + 0.2, "start", name, "service")

    def single(self):
        """Writers whose values are of one byte, at the keys of all others."""
        if self.rng.random() < 0.5:
            return
        for number in range(1, self.rng.randint(2, 3)):
            at = self.rng.uniform(0, self.end * 0.7)
            for _ in range(self.rng.randint(1, 3)):
                self.add(at, "write", f"s{number}", self.rng.choice((self.master_at(at), self.master_at(at), self.rng.choice(self.names))), "single")
                at += self.rng.uniform(0.3, 2)
            self.add(at, "rest", f"s{number}")

    def outages(self):
        """Hosts lose power, whole."""
        if self.rng.random() < 0.5:
            return
        for _ in range(self.rng.randint(1, 2)):
            at = self.moment()
            master = self.master_at(at)
            dark = self.rng.choice(([self.other()], [self.other()], [master], self.rng.sample(self.names, 2), self.names))
            if self.rng.random() < 0.5:  # in the midst of it
                for name in dark:
                    self.add(at - self.rng.uniform(0.01, 0.1), "order", name, *self.rng.choice((("be-slave", self.other(name)), ("be-master", ), ("be-none", ))))
            self.add(at, "dark", *dark)
            for name in dark:
                self.add(at + 0.3, "start", name, "node")
                self.add(at + 0.3, "start", name, "service")
                if self.rng.random() < 0.7:
                    self.add(at + 1.6, "order", name, "take-over", self.rng.choice((name, master, "any")))
            if master in dark and self.rng.random() < 0.7:
                self.add(at + 2, "order", self.other(), "take-over", self.rng.choice((master, "any")))
            for name in dark:
                if name != master:
                    self.add(at + 2.2, "order", name, "be-slave", master)


SETTINGS = {  # ticks no longer than those of the others, since the shorter ones hold
    "node": (("TickTimeoutSec", (0.5, 0.7)), ("SyncTimeoutSec", (2, 30)), ("LogLevel", ("debug", "info"))),
    "service": (("RequestTimeoutSec", (0.7, 2, 6)), ("SyncTimeoutSec", (2, 40)), ("ReconnectMinSec", (0.05, 0.4)), ("ReconnectMaxSec", (0.5, 2)),
                ("AllowAddressStrings", ("yes", "no")), ("GraceSec", (0, 60)))}
KEPT_CALLS = ("open", "write", "fsync", "rename", "read")  # by which a service keeps its past
SIX_SHARE = 0.05  # of the schedules are for so many nodes

KINDS = ("clock", "readers", "holders", "copies", "links", "config", "takeover", "vanish", "outages", "keeping", "inhibit", "single")
ANYWHERE = ("readers", "holders", "copies", "config", "takeover", "vanish", "single", "six")  # what no machine and no build lacks
WITH_PRELOAD = ("preload", "outages", "keeping")
WORDS = ("mount", "network", "preload", "six", *KINDS)


def lay(plan, words):
    """The actions that the kinds among the words add, as (at, verb, arguments)."""
    actions = []
    for kind in KINDS:
        if kind in words:
            overlay = Overlay(kind, plan)
            getattr(overlay, kind)()
            actions += overlay.actions
    return actions
