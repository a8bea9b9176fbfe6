# SPDX-License-Identifier: Apache-2.0
"""Owns schedules: what is done when, made from a seed and nothing else, and written as text that can be read back.

A line is TIME VERB ARGUMENT..., times in seconds from the start:

    order HOST be-master|be-none|be-relay        by the service of that host
    order HOST be-slave MASTER [nowait]
    order HOST slave-dead OTHER
    order HOST take-over OLD|any                 be-master, only if its data was in sync under that master
    plain HOST KIND [OTHER]                      an order, as above, by an ordinary user
    inhibit NAME HOST SECONDS close|process user|root   role orders are inhibited for so long there; its holder closes the descriptor, or
                                                 is a process that dies
    raw HOST be-master|be-none|be-slave [MASTER] [vanish]   by a controller that takes the service's place, and goes away again; or is
                                                 gone as soon as it has said it
    kill|stop|cont|start HOST node|service|bus   SIGKILL, SIGSTOP, SIGCONT
    end HOST node|service                        SIGTERM, and waits
    strike HOST arrival|ok                       kills the node when the next arrival (or be-slave's end) of it is told
    power HOST...                                power loss: kills the nodes, and of what no sync covers the seed decides
    dark HOST...                                 the whole host loses power: node, service and bus; also of what the service keeps on disk
                                                 only what a sync covers is safe, and what it keeps for one boot is gone
    fault HOST [service:]CALL NUMBER ERROR       from the next start on: that call of the node, or of the service, fails once, with EIO or
                                                 ENOSPC; with EIO+ or ENOSPC+ so do all from then on; with SHORT, half is written; with DIE,
                                                 the power goes at that moment, of a service's whole host
    write WRITER HOST KIND                       a writer begins, or turns to another host; KIND: small, mixed, large, single (each value is a byte)
    rest WRITER                                  it pauses
    read READER HOST                             from now on that host is read without a pause
    hold HOLDER HOST SECONDS|never|vanish        a subscriber for whom HA steps wait acknowledges each event so late, or never, or is
                                                 gone soon after it, and comes again
    let HOLDER                                   it is gone
    bulk HOST MEBIBYTES                          so much data is written at once
    cut A B / oneway A B / lossy A B PERCENT / slow A B KBYTES / heal
    link A B rate KBYTES|delay MS|gap MS|half|reset   in user space: a narrow link, a long one, one that stops for so long and goes
                                                 for so long; one direction from A ends, or all of a connection breaks
    whole A B                                    it is none of these any more; as after heal
    fill HOST LEAVE / inodes HOST / free HOST    the disk
    clock HOST SECONDS                           CLOCK_REALTIME of node and service is stepped by so much, forward or back
    token HOST other|own                         the token file of the service, and Reload
    schema HOST TEXT                             another schema set, and SIGHUP
    config HOST node|service KEY VALUE [later]   a setting, and SIGHUP or Reload; or it is read when the program starts next
    config HOST node|service broken              a file that cannot be read, and SIGHUP or Reload, and away with it
    look HOST                                    its data is read

Header lines: nodes N, disk MEBIBYTES, final HOST, seed N.
"""

import dataclasses
import random

import overlays

VERBS = {"order", "plain", "inhibit", "raw", "kill", "stop", "cont", "start", "end", "strike", "power", "dark", "fault", "write", "rest", "read", "hold", "let", "bulk", "cut", "oneway",
         "lossy", "slow", "link", "whole", "heal", "fill", "inodes", "free", "clock", "token", "schema", "config", "look"}
CALLS = ("pwrite", "pwritev", "write", "fsync", "fdatasync", "rename", "ftruncate", "fallocate", "unlink", "open")


SOON = 3  # which call at the latest is sure to come


@dataclasses.dataclass(frozen=True)
class Action:
    at: float
    verb: str
    args: tuple = ()

    def __str__(self):
        return " ".join([f"{self.at:.2f}", self.verb, *self.args])


@dataclasses.dataclass(frozen=True)
class Schedule:
    seed: int
    nodes: int
    final: str
    actions: tuple
    disk: int = 0

    def __str__(self):
        head = [f"seed {self.seed}", f"nodes {self.nodes}", f"final {self.final}"] + ([f"disk {self.disk}"] if self.disk else [])
        return "\n".join([*head, *map(str, self.actions)])

    def has(self, verb):
        return any(action.verb == verb for action in self.actions)

    def has_fault(self, part):
        return any(action.verb == "fault" and action.args[1].startswith(part) for action in self.actions)

    def needs(self):
        """What the machine and the build must be able to do for it."""
        verbs = {action.verb for action in self.actions}
        wanted = {"network"} if verbs & {"cut", "oneway", "lossy", "slow"} else set()
        wanted |= {"preload"} if verbs & {"power", "dark", "fault"} else set()
        wanted |= {"inhibit"} if verbs & {"inhibit", "plain"} else set()
        wanted |= ({"clock"} & verbs) | ({"links"} if "link" in verbs else set())
        return wanted | ({"mount"} if self.disk else set())


def parse(text):
    head, actions = {"seed": "0", "nodes": "3", "final": "n1", "disk": "0"}, []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] in head and len(words) == 2:
            head[words[0]] = words[1]
        elif len(words) >= 2 and words[1] in VERBS:
            actions.append(Action(float(words[0]), words[1], tuple(words[2:])))
        else:
            raise ValueError(f"no line of a schedule: {line}")
    return Schedule(int(head["seed"]), int(head["nodes"]), head["final"], tuple(actions), int(head["disk"]))


class Maker:
    """Builds the actions one segment after the other. What it believes of the roles only steers what comes next."""

    def __init__(self, seed, capabilities, nodes=None):
        self.rng = random.Random(f"chaos {seed}")
        self.capabilities = capabilities
        self.seed, self.now, self.actions = seed, 0.0, []
        drawn = self.rng.choices((3, 4, 5, 7), (12, 3, 2, 1))[0]
        self.nodes = nodes or drawn
        self.names = [f"n{i + 1}" for i in range(self.nodes)]
        self.master, self.writers = "n1", [f"w{i + 1}" for i in range(self.rng.choice((1, 2, 2, 3)))]
        self.disk = 0

    def add(self, verb, *args, after=0.0):
        self.actions.append(Action(round(self.now + after, 2), verb, tuple(map(str, args))))

    def wait(self, low, high):
        self.now += self.rng.uniform(low, high)

    def other(self, *but):
        return self.rng.choice([name for name in self.names if name not in but])

    def few(self, *but):
        names = [name for name in self.names if name not in but]
        return self.rng.sample(names, self.rng.randint(1, len(names)))

    def follow(self, names, master, after=0.0):
        for name in names:
            if name != master:
                self.add("order", name, "be-slave", master, *(["nowait"] if self.rng.random() < 0.4 else []),
                         after=after + self.rng.uniform(0, 0.1))

    def turn(self, master, after=0.0):
        self.master = master
        for writer in self.writers:
            self.add("write", writer, master, self.rng.choice(("small", "small", "mixed", "large")), after=after)

    def promote(self, name, live):
        self.add("order", name, "be-master")
        self.turn(name, after=self.rng.choice((0.0, 0.05, 0.3)))
        self.follow(live, name, after=self.rng.choice((0.0, 0.1, 0.5)))

    # ---- segments ----

    def begin(self):
        self.add("order", "n1", "be-master")
        self.turn("n1")
        if self.rng.random() < 0.3:
            self.add("bulk", "n1", self.rng.choice((1, 5, 20)))
        self.follow(self.names, "n1", after=0.05)
        self.wait(0.3, 1.0)

    def failover(self):
        """The master fails in one of the ways it may, another is promoted, the old one comes back as a slave."""
        old, new = self.master, self.other(self.master)
        way = self.rng.choice(("kill", "kill", "stop", "be-none", "nothing"))
        if way == "kill":
            self.add("kill", old, "node")
            self.wait(0, 0.4)
        elif way == "stop":
            self.add("stop", old, "node")
            self.wait(0, 0.4)
        elif way == "be-none":
            self.add("order", old, "be-none")
            self.wait(0, 0.2)
        self.promote(new, [name for name in self.names if name != old])
        self.wait(0.1, 0.8)
        if way == "stop":
            self.add("cont", old, "node")
            self.wait(0, 0.3)
        if way == "kill":
            self.add("start", old, "node")
            self.wait(0, 0.4)
        self.follow([old], new)
        self.wait(0.2, 0.8)

    def strike(self):
        """A slave dies at the moment when its arrival is told."""
        name = self.other(self.master)
        self.add("order", name, "be-none")
        if self.rng.random() < 0.5:
            self.add("write", self.writers[0], name, "small", after=0.1)
            self.add("write", self.writers[0], self.master, "small", after=0.3)
            self.wait(0.3, 0.4)
        self.wait(0.05, 0.3)
        self.add("strike", name, self.rng.choice(("arrival", "ok")))
        self.follow([name], self.master)
        self.wait(0.5, 1.0)
        self.add("start", name, "node")
        self.follow([name], self.master, after=0.3)
        self.wait(0.3, 0.6)

    def bounce(self):
        """Slaves die or sleep, and come back."""
        for name in self.few(self.master):
            if self.rng.random() < 0.6:
                self.add("kill", name, "node", after=self.rng.uniform(0, 0.2))
                self.add("start", name, "node", after=self.rng.uniform(0.25, 0.6))
                self.follow([name], self.master, after=self.rng.uniform(0.6, 0.9))
            else:
                self.add("stop", name, "node", after=self.rng.uniform(0, 0.2))
                self.add("cont", name, "node", after=self.rng.choice((0.3, 0.6, 3.0)))
        self.wait(0.5, 1.5)

    def storm(self):
        """Orders in any order, to anybody."""
        for _ in range(self.rng.randint(4, 14)):
            name = self.rng.choice(self.names)
            kind = self.rng.choice(("be-master", "be-none", "be-slave", "be-slave", "be-slave", "be-relay", "slave-dead"))
            who = [self.other(name)] if kind in ("be-slave", "slave-dead") else []
            by = "raw" if self.rng.random() < 0.15 and kind in ("be-master", "be-none", "be-slave") else "order"
            wait = ["nowait"] if kind == "be-slave" and by == "order" and self.rng.random() < 0.5 else []
            self.add(by, name, kind, *who, *wait)
            if self.rng.random() < 0.3:
                self.add("write", self.rng.choice(self.writers), self.rng.choice(self.names), "small")
            self.now += self.rng.choice((0.0, 0.0, 0.02, 0.1, 0.3))
        self.promote(self.rng.choice(self.names), self.names)
        self.wait(0.3, 0.8)

    def controllers(self):
        """Services and buses come and go, while orders are under way."""
        for name in self.few():
            kind = self.rng.choice(("service", "service", "service", "bus"))
            self.add(self.rng.choice(("kill", "kill", "stop")), name, kind, after=self.rng.uniform(0, 0.3))
            if self.rng.random() < 0.5:
                self.follow([name], self.master)
            self.add("cont", name, kind, after=0.6)
            self.add("start", name, kind, after=0.6)
            if kind == "bus":
                self.add("start", name, "service", after=0.8)
        self.wait(0.8, 1.6)
        self.turn(self.master)

    def pause(self):
        """All machines sleep at once."""
        for name in self.names:
            self.add("stop", name, "node")
        self.wait(0.2, 3.0)
        for name in self.names:
            self.add("cont", name, "node")
        self.wait(0.2, 0.5)

    def blackout(self):
        """All nodes die at once; who comes back first decides nothing."""
        power = "preload" in self.capabilities and self.rng.random() < 0.8
        if power:
            self.add("power", *self.names)
        for name in self.names:
            if not power:
                self.add("kill", name, "node")
            self.add("start", name, "node", after=self.rng.uniform(0.1, 0.4))
        self.wait(0.5, 0.8)
        self.promote(self.rng.choice(self.names), self.names)
        self.wait(0.3, 0.8)

    def power(self):
        name = self.rng.choice(self.names)
        if self.rng.random() < 0.5:
            self.follow([name], self.master)
            self.wait(0, 0.15)
        self.add("power", name)
        self.add("start", name, "node", after=0.2)
        if name == self.master:
            self.promote(self.rng.choice(self.names), self.names)
        else:
            self.follow([name], self.master, after=0.5)
        self.wait(0.6, 1.0)

    def error(self):
        """An I/O error at one of the calls that a node makes from its start on."""
        name = self.rng.choice(self.names)
        call = self.rng.choice(CALLS)
        self.add("end", name, "node")
        self.add("fault", name, call, self.rng.choice((1, 2, 3, 4, 5, 7, 10, 20, 50)), self.rng.choice(("EIO", "EIO", "ENOSPC")), after=0.05)
        self.add("start", name, "node", after=0.1)
        self.wait(0.4, 0.6)
        if name == self.master:
            self.promote(self.rng.choice(self.names), self.names)
        else:
            self.follow([name], self.master)
        self.wait(0.6, 1.2)
        self.add("start", name, "node")

    def partition(self):
        one, two = self.rng.sample(self.names, 2)
        verb = self.rng.choice(("cut", "oneway", "lossy", "slow"))
        self.add(verb, one, two, *({"lossy": [self.rng.choice((5, 20))], "slow": [self.rng.choice((64, 512))]}.get(verb, [])))
        if self.rng.random() < 0.5:
            self.wait(0.1, 0.5)
            self.promote(self.rng.choice((one, two)), self.names)
        self.wait(0.3, 3.0)
        self.add("heal")
        self.follow(self.few(self.master), self.master)
        self.wait(0.2, 0.6)

    def relay(self):
        relay = self.other(self.master)
        below = self.few(self.master, relay)
        self.follow([relay], self.master)
        self.wait(0.1, 0.4)
        self.add("order", relay, "be-relay")
        self.wait(0.05, 0.2)
        self.follow(below, relay)
        self.wait(0.3, 0.8)
        if self.rng.random() < 0.5:
            self.add("kill", relay, "node")
            self.wait(0.1, 0.5)
            self.add("start", relay, "node")
            self.follow(below, self.master)
            self.follow([relay], self.master, after=0.3)
            self.wait(0.3, 0.6)

    def full_disk(self):
        self.disk = 64
        name = self.rng.choice(self.names)
        if self.rng.random() < 0.7:
            self.add("fill", name, self.rng.choice((0, 4096, 100000, 1000000)))
        else:
            self.add("inodes", name)
        self.wait(0.1, 0.4)
        if name != self.master or self.rng.random() < 0.3:
            self.follow([name], self.other(name) if name == self.master else self.master)
        self.wait(0.3, 1.0)
        if self.rng.random() < 0.3:
            self.add("kill", name, "node")
            self.add("start", name, "node", after=0.1)
            self.wait(0.3, 0.5)
        self.add("free", name)
        self.add("start", name, "node")
        self.promote(self.master, self.names)
        self.wait(0.2, 0.4)

    def secrets(self):
        name = self.other(self.master)
        what = self.rng.choice(("token", "schema"))
        self.add(what, name, "other")
        self.wait(0.05, 0.3)
        self.add("order", name, "be-none")
        self.follow([name], self.master, after=0.02)
        self.wait(0.2, 0.4)
        self.add(what, name, "own")
        self.wait(0.1, 0.3)
        self.follow([name], self.master)
        self.wait(0.2, 0.5)

    def join_under_load(self):
        name = self.other(self.master)
        self.add("order", name, "be-none")
        self.add("bulk", self.master, self.rng.choice((5, 20, 20, 60)), after=0.02)
        self.wait(0.2, 0.5)
        self.follow([name], self.master)
        self.wait(0.3, 1.5)

    def make(self):
        kinds = [self.failover] * 5 + [self.storm] * 4 + [self.bounce] * 2 + [self.strike] * 2 + [self.controllers] * 2
        kinds += [self.blackout] * 2 + [self.pause, self.relay, self.relay, self.secrets, self.join_under_load]
        if "network" in self.capabilities:
            kinds += [self.partition] * 3
        if "mount" in self.capabilities:
            kinds += [self.full_disk]
        if "preload" in self.capabilities:
            kinds += [self.power] * 4 + [self.error] * 3
        self.begin()
        for _ in range(self.rng.randint(2, 4)):
            self.rng.choice(kinds)()
            if self.rng.random() < 0.4:
                self.add("look", self.rng.choice(self.names))
        self.wait(0.1, 0.3)
        actions = sorted(self.actions, key=lambda action: action.at)
        if self.disk:  # a copy has to fit beside what it replaces
            actions = [action for action in actions if action.verb != "bulk" or int(action.args[1]) <= 5]
        return Schedule(self.seed, self.nodes, self.rng.choice(self.names), tuple(actions), self.disk)


def make(seed, capabilities, nodes=None):
    """The schedule of a seed, for a machine and a build that can do that (of network, mount, preload), with what overlays.py has
    of the other words. nodes: so many, whatever the seed would have."""
    if nodes is None and "six" in capabilities and random.Random(f"chaos six {seed}").random() < overlays.SIX_SHARE:
        nodes = 6
    plan = Maker(seed, frozenset(capabilities), nodes).make()
    more = [Action(*action) for action in overlays.lay(plan, capabilities)]
    return dataclasses.replace(plan, actions=tuple(sorted([*plan.actions, *more], key=lambda action: action.at)))


def features(plan):
    """What a schedule has of all that schedules may have: verbs, with what tells their kinds apart, and words. Calls that fail late do not count: they
    may never come."""
    names = {f"n{number + 1}" for number in range(plan.nodes)}
    places = {"order": (1, ), "plain": (1, ), "inhibit": (3, 4), "raw": (1, 3, 2), "link": (2, ), "kill": (1, ), "stop": (1, ), "end": (1, ), "strike": (1, ), "config": (1, 2, 4), "fault": (1, ),
              "token": (1, ), "hold": (2, ), "write": (2, )}
    for action in plan.actions:
        if action.verb == "fault" and int(action.args[2]) > SOON:
            continue
        yield action.verb
        for place in places.get(action.verb, ()):
            if place < len(action.args) and action.args[place] not in names:
                yield f"{action.verb} {action.args[place]}"
    yield f"{plan.nodes} nodes"


def words_of(seed, words):
    """Which kinds are laid over the schedule of a seed."""
    base = make(seed, set(words) - set(overlays.KINDS))
    return {kind for kind in overlays.KINDS if kind in words and overlays.lay(base, {kind})}


def seeds_in(path):
    return [int(word) for line in path.read_text().splitlines() for word in line.split("#")[0].split()]


READS_MAX = 40
KEPT = tuple(f"service:{call}" for call in overlays.KEPT_CALLS)  # the service's, on what it keeps
SWEPT = (*CALLS, "read", "pread", *KEPT)


def chains():
    """What the sweep goes through, number by number: (call, error, the last number or None). To die at a read is to die at the write
    that comes next; and of the reads in a row by which a log is looked through few are as good as all."""
    for error in ("DIE", "EIO", "ENOSPC", "SHORT"):
        for call in [call for call in SWEPT if call not in KEPT]:
            if "read" in call and error == "EIO":
                yield call, error, READS_MAX
            elif "read" not in call and (error != "SHORT" or "write" in call):
                yield call, error, None
    for error in ("DIE", "EIO", "EIO+", "ENOSPC+"):
        for call in KEPT:
            if "read" not in call or error in ("EIO", "EIO+"):
                yield call, error, None


def swept(call, number, error):
    """What the sweep runs for that call."""
    return dataclasses.replace(parse((SWEPT_SERVICE if call in KEPT else SWEPT_NODE).format(f"{call} {number} {error}")), seed=number)


# A node that starts, copies, follows, is promoted and written to, and whose call of that number fails, or is its last one. It is
# written to for moments only, so that there are not too many calls.
SWEPT_NODE = """
        final n1
        0.00 order n1 be-master
        0.00 write w1 n1 mixed
        0.02 end n2 node
        0.05 order n3 be-slave n1
        0.20 fault n2 {}
        0.25 start n2 node
        0.30 rest w1
        0.70 order n2 be-slave n1
        1.20 write w1 n1 mixed
        1.30 rest w1
        1.40 start n2 node
        1.50 order n2 be-master
        1.55 write w1 n2 mixed
        1.60 order n1 be-slave n2
        1.60 order n3 be-slave n2
        1.75 rest w1
        2.80 start n2 node
        3.30 look n2"""
# A service that knows of a past, starts, is told to follow, to leave and to be master, and whose files fail meanwhile. In peace it lives on,
# is told more, and begins anew.
SWEPT_SERVICE = """
        final n1
        0.00 order n1 be-master
        0.00 write w1 n1 small
        0.05 order n3 be-slave n1
        0.05 order n2 be-slave n1
        0.60 end n2 service
        0.80 fault n2 {}
        0.90 start n2 service
        1.20 order n2 be-none
        1.40 order n2 be-slave n1
        1.80 rest w1
        1.90 order n2 be-master
        2.00 order n1 be-slave n2
        2.40 start n2 node
        2.40 start n2 service
        2.80 look n2"""
