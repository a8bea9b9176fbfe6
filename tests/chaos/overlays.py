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
        self.actions.append((round(float(at), 2), verb, tuple(map(str, args))))

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


KINDS = ("clock", "readers", "holders", "copies", "links")
ANYWHERE = ("readers", "holders", "copies")  # what no machine and no build lacks


def lay(plan, words):
    """The actions that the kinds among the words add, as (at, verb, arguments)."""
    actions = []
    for kind in KINDS:
        if kind in words:
            overlay = Overlay(kind, plan)
            getattr(overlay, kind)()
            actions += overlay.actions
    return actions
