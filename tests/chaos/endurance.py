# SPDX-License-Identifier: Apache-2.0
"""Owns a cluster that is kept: the schedules of one seed after the other, with peace and an empty database between them, and how large
the programs are then.

What a program holds in peace must not depend on how long it has lived. The first host is spared: nothing ends its node and its
service (they are stopped, cut off, ordered about and lied to by their clock as all others are), so that these live all the time; the
others are compared over each of their lives. """

import asyncio
import collections
import dataclasses
import statistics
import time

import clients
import invariants
import powerloss
import schedule
from clients import NODE
from cluster import KINDS, PARTS
from dbus import Failed
from runner import NoPeace, Runner

SPARED = "n1"
NODES = 3
POINTS_MIN = 9           # of a life that is long enough to be judged
JUDGED_MIN = 15          # minutes after which the spared host's lives have to be
# malloc is told to give back at once what is large and free, and to keep no list of small pieces for each thread, which takes an hour to
# fill and looks like growth meanwhile; memory.c sees to the rest: what is kept hides what is held.
MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072:glibc.malloc.arena_max=1:"
                            "glibc.malloc.tcache_count=0"}
# Of memory the thirds of a life are compared by their medians: small pieces that are in use lie between free ones, which differs by
# some hundred KiB from one look to the next. A thing that is forgotten once a round, or once a transaction, is more than that within
# the hour. Descriptors have no reason to differ but connections that are being made just then, of which the least is the truth.
MEMORY_GROWTH_MAX = 256   # KiB
# A small disk is for a schedule of its own, a host without power spares nobody, and what is copied for minutes takes them from all the others.
LEFT_OUT = {"mount", "copies", "outages", "keeping", "six"}
DELETES_MAX = 5000
LINGER_SEC = 60
TRIMMED_SEC = 2            # by then memory.c has given back what is free


def spare(plan):
    """The schedule, without what would end a process of the spared host."""
    actions = []
    for action in plan.actions:
        if action.verb == "power":
            action = dataclasses.replace(action, args=tuple(name for name in action.args if name != SPARED))
        if action.args[:1] != (SPARED,) or action.verb not in ("kill", "end", "strike", "fault"):
            actions.append(action)
    return dataclasses.replace(plan, actions=tuple(action for action in actions if action.verb != "power" or action.args))


def growth(points, memory=True):
    """What has grown, of the quiet points of the run: (host, kind, boot): [(descriptors, KiB), ...]. A sanitizer keeps what is free."""
    for (host, kind, boot), sizes in points.items():
        third = len(sizes) // 3
        if len(sizes) < POINTS_MIN:
            continue
        first, last = sizes[:third], sizes[-third:]
        if min(size[0] for size in last) > max(size[0] for size in first):
            yield f"the {kind} of {host} ({boot}) had {[size[0] for size in first]} descriptors, and has {[size[0] for size in last]}"
        more = statistics.median(size[1] for size in last) - statistics.median(size[1] for size in first)
        if memory and more > MEMORY_GROWTH_MAX:
            yield f"the {kind} of {host} ({boot}) has {more:.0f} KiB more: {[size[1] for size in first]}, and {[size[1] for size in last]}"


def unjudged(points, minutes):
    """Which programs of the spared host nobody has judged: that they did not grow is not known then."""
    for kind in ("node", "service"):
        sizes = max((len(sizes) for (host, what, _), sizes in points.items() if (host, what) == (SPARED, kind)), default=0)
        if minutes >= JUDGED_MIN and sizes < POINTS_MIN:
            yield f"the {kind} of {SPARED} was looked at {sizes} times in {minutes:g} minutes, and {POINTS_MIN} are needed"


class Endurance(Runner):
    """Rounds of schedules on one cluster."""

    spared = (SPARED, )

    def __init__(self, seed, able, directory, build, preload, clock):
        self.able, self.seed, self.round = able - LEFT_OUT, seed, 0
        self.points, self.clocks, self.real = collections.defaultdict(list), [], time.time()
        super().__init__(self.plan(), directory, build, preload, clock)
        self.cluster.more_environment = MALLOC
        if preload:
            self.cluster.libraries.append(preload.with_name("memory.so"))

    def uses(self, verb):
        return {"clock": "clock", "link": "links", "dark": "outages", "service:": "keeping", "inhibit": "inhibit"}[verb] in self.able

    def uses_proxy(self):
        return self.uses("link")

    def plan(self):
        return spare(schedule.make(self.seed + self.round, self.able, NODES))

    def begin(self):
        """A record of its own: what was before is known by its end, an empty database."""
        self.clocks += [entry for entry in self.record.entries if entry["e"] == "clock" and entry not in self.clocks]
        self.record.clear()
        self.record.entries += self.clocks
        for name, host in self.hosts.items():
            for kind in KINDS:
                self.record.add("started", host=name, kind=kind, boot=host.boots[kind])
            self.record.add("event", host=name, boot=host.boots["node"], name="SUBSCRIBED", data=None)
        self.record.add("up", sanitized=self.cluster.preload is None, measured=self.is_measured(), real=self.real)
        self.writers, self.loads, self.closing = {}, [], False

    async def linger(self):
        """Nothing of the round is under way any more."""
        for name in list(self.holders):
            self.do_let(name)
        for reader in self.readers:
            reader.cancel()
        passing = self.tasks - self.permanent
        if passing:
            await asyncio.wait(passing, timeout=LINGER_SEC)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def wipe(self):
        """All data goes, at all hosts: one that was lost since the last look, as a busy machine has it, comes back for that."""
        master = await self.master()
        for _ in range(4):
            await self.delete_all(self.access[master])
            left = [name for name in self.hosts if await self.access[name].property(NODE, "Entries")]
            if not left:
                return
            await self.gather(master)
        raise NoPeace(f"{' '.join(left)} still have data when all is deleted")

    async def master(self):
        for name in self.hosts:
            if await self.access[name].property(NODE, "State") == "master":
                return name
        raise NoPeace("nobody is master any more")

    @staticmethod
    async def delete_all(access):
        after, keys = "", []
        while True:
            entries, after = await access.call(NODE, "List", "ssu", ("", after, 0))
            keys += entries
            if not after:
                break
        for at in range(0, len(keys), DELETES_MAX):
            await access.call(NODE, "Apply", "a{ss}as", ({}, keys[at:at + DELETES_MAX]))

    def measure(self):
        for name, host in self.hosts.items():
            for kind in ("node", "service"):
                self.points[name, kind, host.boots[kind]].append((host.descriptors(kind), host.memory(kind)))

    def sizes(self):
        return ", ".join(f"{name} {kind} {self.points[name, kind, host.boots[kind]][-1][0]} fds {self.points[name, kind, host.boots[kind]][-1][1]} KiB"
                         f" (life {host.boots[kind]})" for name, host in self.hosts.items() for kind in ("node", "service"))

    def keep_record(self):
        self.record.write(self.cluster.dir / f"record.{self.schedule.seed}.jsonl")

    async def one(self):
        """A round. Returns what was broken in it."""
        self.schedule = self.plan()
        self.begin()
        await self.carry_out()
        await self.peace()
        await self.linger()
        found = invariants.check(self.record.entries)
        await self.wipe()
        await asyncio.sleep(TRIMMED_SEC)
        self.measure()
        for host in self.hosts.values():
            for part in PARTS.values():
                powerloss.forget(host.dir, part)
        return found

    async def endure(self, minutes, say):
        """Returns whether all held. What does not is told at once."""
        good, start, end = True, time.monotonic(), time.monotonic() + minutes * 60
        try:
            await self.up()
            await self.linger()  # looks at what has started belong to no round
            while time.monotonic() < end:
                found = await self.one()
                say(f"{(time.monotonic() - start) / 60:.1f} min, seed {self.schedule.seed}: {'broken' if found else 'good'}; {self.sizes()}")
                for violation in found:
                    good = False
                    say(f"    {violation.invariant} at {violation.at:.2f} s: {violation.text}")
                if found:
                    self.keep_record()
                    say(*("    " + line for line in str(self.schedule).splitlines()))
                self.round += 1
        except (NoPeace, Failed) as error:
            good = False
            self.keep_record()
            say(f"seed {self.schedule.seed}: settles: {error}", *("    " + line for line in str(self.schedule).splitlines()))
        finally:
            unclean = await self.down()
        reports = [path.read_text(errors="replace")[:4000] for path in self.cluster.sanitizer_reports()]
        grown = growth(self.points, memory=self.cluster.preload is not None)
        for text in [*grown, *unjudged(self.points, minutes), *unclean, *reports]:
            good = False
            say(f"bounded: {text}")
        lives = collections.Counter((host, kind) for host, kind, _ in self.points)
        for (host, kind, boot), sizes in self.points.items():
            if host == SPARED:
                say(f"{host} {kind} ({boot}): {len(sizes)} quiet points, descriptors {min(size[0] for size in sizes)} to "
                    f"{max(size[0] for size in sizes)}, memory {sizes[0][1]} KiB at first, {sizes[-1][1]} at last, {max(size[1] for size in sizes)} at most")
        say("lives that were seen: " + ", ".join(f"{host} {kind} {count}" for (host, kind), count in lives.items()))
        return good
