# SPDX-License-Identifier: Apache-2.0
"""Owns a run: carries out a schedule on a cluster, then makes peace, and looks at what is left."""

import asyncio
import collections
import random
import signal
import time

import clients
import configured
import inhibited
import powerloss
import promises
import proxy
from clients import HA, NODE, Access
from cluster import KINDS, OTHER_TOKEN, PARTS, TICK_SEC, TOKEN, Cluster
from dbus import Failed
from overlays import STEPS
from record import Record, mark_of

START_SEC = 30   # until a process serves, on a busy machine
ROOM = 4         # times as large disks are in peace
SETTLE_SEC = 60  # until all follow one master, once nothing is done to them any more
SIGNALS = {"stop": signal.SIGSTOP, "cont": signal.SIGCONT, "kill": signal.SIGKILL}


class NoPeace(Exception):
    """The cluster did not settle."""


async def eventually(what, condition, seconds):
    """Waits until condition() is true; what it is about is said if it does not become so."""
    deadline = asyncio.get_running_loop().time() + seconds
    last = None
    while asyncio.get_running_loop().time() < deadline:
        try:
            if await condition():
                return
        except Failed as error:
            last = error
        await asyncio.sleep(0.05)
    raise NoPeace(f"{what}: not within {seconds} s" + (f" ({last})" if last else ""))


class Runner:
    """One run of one schedule."""

    spared = ()  # hosts whose programs nobody ends

    def __init__(self, schedule, directory, build, preload, clock):
        self.schedule, self.record = schedule, Record()
        self.cluster = Cluster(directory, build, schedule.nodes, preload, self.on_end, clock if self.uses("clock") else None)
        self.cluster.keeps = self.uses("dark") or self.uses("service:")
        self.hosts = self.cluster.hosts
        self.access = {name: Access(host) for name, host in self.hosts.items()}
        self.users = {name: Access(host, inhibited.USER) for name, host in self.hosts.items()}
        self.writers, self.tasks, self.strikes, self.excused, self.holders, self.inhibitions = {}, set(), {}, {}, {}, []
        self.closing, self.loads, self.proxy, self.readers, self.permanent = False, [], None, [], set()
        self.complaints = {name: clients.Complaints() for name in self.hosts}
        self.reading = collections.defaultdict(asyncio.Lock)  # by host and kind: its file is one that cannot be read

    def uses(self, verb):
        """Whether the cluster must be made for that one."""
        return self.schedule.has(verb) or self.schedule.has_fault(verb)

    def uses_proxy(self):
        return any(action.verb == "link" and not self.cluster.links.can(action.args[2]) for action in self.schedule.actions)

    def spawn(self, work, permanent=False):
        task = asyncio.create_task(self.record.watch(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if permanent:
            self.permanent.add(task)
        return task

    # ---- processes ----

    def on_end(self, host, kind, process):
        status = process.popen.returncode
        if kind == "service":
            self.complaints[host.name].take(self.record, host)
        if process.fault:
            call, number, error = process.fault
            self.record.add("fired" if powerloss.fired(host.dir, PARTS[kind]) else "unfired", host=host.name, kind=kind, call=call, error=error, status=status,
                            what=f"{'service:' if kind == 'service' else ''}{call} {number} {error}")
        if process.dies and not process.expected and status == -signal.SIGKILL:
            process.expected = True
            self.record.add("fault", host=host.name, kind=kind, what="kill", boot=host.boots[kind])
            if kind == "service":
                self.spawn(self.do_dark(host.name))
            else:
                self.record.add("power", host=host.name, lost=host.power_cut(f"{self.schedule.seed} {host.name} {host.boots[kind]}"))
        bus_gone = kind != "bus" and (not host.runs("bus") or self.record.now() - self.excused.get((host.name, "bus"), -9) < 5)
        self.record.add("ended", host=host.name, kind=kind, boot=host.boots[kind], status=status, expected=process.expected,
                        excused=bool(bus_gone or self.excused.get((host.name, kind))))

    async def start(self, name, kind):
        host = self.hosts[name]
        if kind != "bus" and not host.runs("bus"):
            await self.start(name, "bus")
        async with self.reading[name, kind]:
            if host.runs(kind):
                return
            host.start(kind)
        self.record.add("started", host=name, kind=kind, boot=host.boots[kind])
        if kind == "bus":
            await eventually(f"the bus of {name} lets us in", self.bus_is_there(host), START_SEC)
        elif kind == "node":
            self.spawn(self.look_at_start(host))
        elif self.cluster.keeps:
            self.spawn(self.look_at_past(host))

    def bus_is_there(self, host):
        async def check():
            if host.runs("bus"):
                await self.access[host.name].get()
                return True
            return False
        return check

    async def look_at_start(self, host):
        """What a node has when it comes up is what was durable."""
        boot = host.boots["node"]

        async def is_there():
            if not host.runs("node") or host.boots["node"] != boot:
                return True
            return bool(await self.access[host.name].property(NODE, "State"))
        try:
            await eventually(f"the node of {host.name} serves", is_there, START_SEC)
        except NoPeace:
            return
        if host.boots["node"] == boot:
            await clients.look(self.record, host, "start")

    async def look_at_past(self, host):
        """What a service knows of its past when it comes up."""
        boot, end = host.boots["service"], self.record.now() + START_SEC
        while host.runs("service") and host.boots["service"] == boot and self.record.now() < end:
            try:
                sync = await self.access[host.name].property(HA, "LastInSync")
                self.complaints[host.name].take(self.record, host)
                self.record.add("past", host=host.name, boot=boot, sync=sync)
                return
            except Failed:
                await asyncio.sleep(0.02)

    def serves(self, name, target):
        async def check():
            for kind in KINDS:
                await self.start(name, kind)
            return bool(await self.access[name].property(target, "State"))
        return check

    @staticmethod
    def is_measured():
        """Whether the kernel says who waits for a processor."""
        return sum(clients.run_delays("self").values()) > 0

    async def up(self):
        for watch in (clients.heartbeat(self.record), clients.starvation(self.record, self.hosts)):
            self.spawn(watch, permanent=True)
        if self.uses("inhibit"):
            for host in self.hosts.values():
                self.spawn(inhibited.polkit(self.record, host), permanent=True)
        if self.uses_proxy():
            self.proxy = proxy.Proxy(self.cluster.network)
        await asyncio.gather(*(self.start(name, "bus") for name in self.hosts))
        for name, host in self.hosts.items():
            if self.schedule.disk:
                host.limit_disk(self.schedule.disk)
            for listen in (clients.listen_to_node, clients.listen_to_service):
                self.spawn(listen(self.record, host, self.hear), permanent=True)
            for watch in (clients.probe(self.record, host), clients.read_log(self.record, host)):
                self.spawn(watch, permanent=True)
            await self.start(name, "node")
        await asyncio.gather(*(eventually(f"the node of {name} serves", self.serves(name, NODE), START_SEC) for name in self.hosts))
        for name in self.hosts:
            async def is_heard(name=name):
                return any(entry["e"] == "listening" and entry["host"] == name for entry in self.record.entries)
            await eventually(f"the bus of {name} is listened to", is_heard, START_SEC)
            await self.start(name, "service")
        for name in self.hosts:
            async def is_none(name=name):
                return await self.access[name].property(HA, "State") == "none"
            await eventually(f"the service of {name} serves", is_none, START_SEC)

    # ---- actions ----

    def hear(self, host, name, data):
        """Somebody who waits for this very moment strikes."""
        if name == "SLAVE_ARRIVED" and self.strikes.get(data) == "arrival":
            self.strike(data)
        elif name == "SLAVE_INITIALIZED" and self.strikes.get(host.name) == "ok":
            self.strike(host.name)

    def strike(self, name):
        del self.strikes[name]
        self.do_signal("kill", name, "node")

    def do_signal(self, verb, name, kind):
        host = self.hosts[name]
        if not host.runs(kind):
            return
        self.record.add("fault", host=name, kind=kind, what=verb, boot=host.boots[kind])
        if verb == "kill":
            host.processes[kind].expected = True
            if kind == "bus":
                self.excused[name, "bus"] = self.record.now()
        host.send(kind, SIGNALS[verb])

    async def do(self, action):
        verb, args = action.verb, action.args
        if verb in SIGNALS:
            self.do_signal(verb, *args)
        elif verb == "order":
            host = self.hosts[args[0]]
            self.spawn(self.give(host, args[1], args[2:]))
        elif verb == "plain":
            self.spawn(self.give(self.hosts[args[0]], args[1], args[2:], user="other"))
        elif verb == "raw":
            self.spawn(clients.raw_order(self.record, self.hosts[args[0]], args[1], args[2:], self.cluster, TOKEN))
        elif verb == "write":
            if args[0] not in self.writers:
                self.writers[args[0]] = clients.Writer(args[0], self.schedule.seed, self.record)
            self.writers[args[0]].turn(self.hosts[args[1]], args[2])
        elif verb == "rest":
            if args[0] in self.writers:
                self.writers[args[0]].rest()
        elif verb == "read":
            self.readers.append(self.spawn(clients.Reader(args[0], self.schedule.seed, self.record).run(self.hosts[args[1]])))
        elif verb == "hold":
            self.do_let(args[0])
            self.holders[args[0]] = clients.Holder(args[0], self.hosts[args[1]], args[2], self.record)
        elif verb == "let":
            self.do_let(*args)
        elif verb == "bulk":
            self.loads.append(self.spawn(clients.bulk(self.record, self.hosts[args[0]], int(args[1]))))
        elif verb == "look":
            self.spawn(clients.look(self.record, self.hosts[args[0]], "look"))
        elif verb == "strike":
            self.strikes[args[0]] = args[1]
        elif verb == "start":
            self.spawn(self.start(*args))
        elif verb == "end":
            self.spawn(self.end(*args))
        else:
            await getattr(self, f"do_{verb}")(*args)

    async def end(self, name, kind):
        self.record.add("fault", host=name, kind=kind, what="end", boot=self.hosts[name].boots[kind])
        await self.hosts[name].end(kind, signal.SIGTERM)

    async def do_power(self, *names):
        for name in names:
            self.do_signal("kill", name, "node")
        for name in names:
            await self.hosts[name].end("node")
            lost = self.hosts[name].power_cut(f"{self.schedule.seed} {name} {self.hosts[name].boots['node']}")
            self.record.add("power", host=name, lost=lost)

    async def do_dark(self, *names):
        for name in names:
            self.record.add("dark", host=name)
            for kind in ("node", "service", "bus"):
                self.do_signal("kill", name, kind)
        for name in names:
            host = self.hosts[name]
            for kind in KINDS:
                await host.end(kind)
            seed = f"{self.schedule.seed} {name} {host.boots['node']}"
            self.record.add("power", host=name, lost=host.power_cut(seed), state=host.state_cut(f"{seed} service"))

    async def do_fault(self, name, call, number, error):
        kind, call = call.split(":") if ":" in call else ("node", call)
        self.hosts[name].faults[kind] = (call, int(number), error)
        if kind == "node":  # which may end by that; a service may not
            self.excused[name, kind] = True
        self.record.add("fault", host=name, kind=kind, what=f"{call} {number} {error}", boot=self.hosts[name].boots[kind])

    def link(self, one, two, rule, both=True):
        self.record.add("fault", host=one, kind="link", what=rule, other=two)
        self.cluster.links.set(one, two, rule)
        if both:
            self.cluster.links.set(two, one, rule)

    async def do_cut(self, one, two):
        self.link(one, two, "cut")

    async def do_oneway(self, one, two):
        self.link(one, two, "cut", both=False)

    async def do_lossy(self, one, two, percent):
        self.link(one, two, f"lossy {percent}")

    async def do_slow(self, one, two, kilobytes):
        self.link(one, two, f"slow {kilobytes}")

    async def do_link(self, one, two, kind, value=0):
        by_netem = self.cluster.links.can(kind)  # which drops what does not fit into a narrow link: nobody has to endure that
        self.record.add("fault", host=one, kind="link", what=f"{kind} {value}", other=two,
                        endured=proxy.endures(kind, value) and not self.has_short_ticks() and not (by_netem and kind == "rate"))
        if by_netem:
            for source, target in ((one, two), (two, one)):
                self.cluster.links.shape(source, target, f"{kind} {value}")
        else:
            self.proxy.set(one, two, kind, value)

    def has_short_ticks(self):
        return any(action.verb == "config" and "TickTimeoutSec" in action.args for action in self.schedule.actions)

    async def do_whole(self, one, two):
        if self.proxy:
            self.proxy.heal(one, two)
        for source, target in ((one, two), (two, one)) if self.cluster.links.shaper else ():
            self.cluster.links.shape(source, target, None)
        self.record.add("whole", pair=sorted((one, two)))
        if not (self.proxy and self.proxy.shapes) and not self.cluster.links.troubled(*self.hosts):
            self.record.add("healed")

    async def do_heal(self):
        self.record.add("healed")
        self.cluster.links.heal()
        if self.proxy:
            self.proxy.heal()

    async def do_fill(self, name, leave):
        self.excused[name, "node"] = True
        self.record.add("fault", host=name, kind="disk", what="full")
        self.hosts[name].fill_disk(int(leave))

    async def do_inodes(self, name):
        self.excused[name, "node"] = True
        self.record.add("fault", host=name, kind="disk", what="no inodes")
        self.hosts[name].fill_inodes()

    async def do_free(self, name):
        self.hosts[name].free_disk()

    async def do_clock(self, name, seconds):
        self.record.add("clock", host=name, offset=self.hosts[name].step_clock(float(seconds)), real=time.time())

    async def do_inhibit(self, name, host, seconds, manner, whose):
        inhibition = inhibited.Inhibition(name, self.hosts[host], manner, whose, self.record)
        self.inhibitions.append(inhibition)
        self.spawn(inhibition.run(float(seconds)))

    def do_let(self, name):
        if name in self.holders:
            self.holders.pop(name).let()

    async def do_token(self, name, which):
        self.hosts[name].set_token(TOKEN if which == "own" else OTHER_TOKEN)
        self.record.add("fault", host=name, kind="token", what=which)
        self.spawn(self.reload(name))

    async def reload(self, name):
        try:
            await self.access[name].call(HA, "Reload")
        except Failed as error:
            self.record.add("note", host=name, text=f"Reload: {error}")

    async def do_schema(self, name, which):
        path = self.hosts[name].dir / "schema" / "other.fxs"
        if which == "own":
            path.unlink(missing_ok=True)
        else:
            path.write_text(which)
        self.record.add("fault", host=name, kind="schema", what=which)
        if self.hosts[name].runs("node") and await self.is_served(name):
            self.hosts[name].send("node", signal.SIGHUP)

    async def do_config(self, name, kind, key, *more):
        if key != "broken":
            self.hosts[name].configure(kind, **{key: more[0]})
        self.record.add("config", host=name, kind=kind, key=key, value=more[0] if more else "")
        if "later" not in more:
            self.spawn(configured.read_again(self, name, kind, key == "broken"))

    async def is_served(self, name, target=NODE):
        """A process that is not there yet would be ended by the signal that it does not know of."""
        try:
            return bool(await asyncio.wait_for(self.access[name].property(target, "State"), 5))
        except (Failed, asyncio.TimeoutError):
            return False

    async def give(self, host, kind, args=(), user=None):
        access = (self.users if user else self.access)[host.name]
        error = await clients.order(self.record, host, access, kind, args, self.cluster, user)
        if kind == "be-slave" and not error and "nowait" not in args and not self.closing:
            await clients.look(self.record, host, "joined", patience=2)
        elif kind == "take-over" and not error:
            await clients.look(self.record, host, "taken-over", patience=4)
        return error

    # ---- the end ----

    async def heal(self):
        self.record.add("healing")
        self.strikes.clear()
        await self.do_heal()
        for name in [name for name, holder in self.holders.items() if not holder.is_quick]:
            self.do_let(name)
        for inhibition in self.inhibitions:
            inhibition.enough.set()
        for writer in self.writers.values():
            writer.rest()
        for name, host in self.hosts.items():
            for kind in KINDS:
                if host.stopped(kind):
                    self.do_signal("cont", name, kind)
            host.faults.clear()
            for kind in PARTS:  # a service whose calls fail lives on, and is told more
                if host.runs(kind) and host.processes[kind].fault and (kind == "node" or host.processes[kind].dies):
                    self.do_signal("kill", name, kind)
                    await host.end(kind)
            host.free_disk()
            if self.schedule.disk:  # beside what writers have left there a copy may have no room
                host.enlarge_disk(ROOM * self.schedule.disk)
            host.set_token(TOKEN)
            for conf, settings in host.settings.items():
                host.configure(conf, **dict.fromkeys(settings))
        for name in self.hosts:
            await eventually(f"the node of {name} serves", self.serves(name, NODE), START_SEC)
            await self.do_schema(name, "own")
            await eventually(f"the service of {name} serves", self.serves(name, HA), START_SEC)
            await self.reload(name)
            if self.schedule.has("config"):
                for kind in ("node", "service"):
                    await configured.read_again(self, name, kind)
        self.excused.clear()
        await asyncio.gather(*(writer.end(START_SEC) for writer in self.writers.values()))
        if self.loads:
            await asyncio.wait(self.loads, timeout=START_SEC)
            for load in self.loads:
                load.cancel()

    async def obey(self, name, kind, *args):
        """An order that has to succeed in the end: what was under way before may stand in its way for a while."""
        async def check():
            error = await self.give(self.hosts[name], kind, args)
            if error:
                raise Failed(error, f"{kind} {' '.join(args)}")
            return True
        await eventually(f"{name} obeys {kind}", check, SETTLE_SEC)

    async def gather(self, master):
        """All follow one master."""
        others = [name for name in self.hosts if name != master]
        await self.obey(master, "be-master")
        await asyncio.gather(*(self.obey(name, "be-slave", master) for name in others))

        async def all_there():
            slaves = await self.access[master].property(HA, "Slaves")
            return sorted(name for name, _ in slaves) == sorted(others)
        await eventually(f"{master} shows all slaves", all_there, SETTLE_SEC)

    async def peace(self):
        """Everything works again, and all nodes become equal. Then a change of the master that has to copy nothing."""
        await self.heal()
        self.closing = True
        master = self.schedule.final
        await self.gather(master)
        serial = self.record.next_serial()
        if not await clients.transact(self.record, self.access[master], serial, {mark_of(serial): str(serial)}, []):
            raise NoPeace(f"{master} takes no writes")
        if self.is_large():
            await self.copy(master)
        if self.schedule.has("config"):
            await configured.prove(self, master)
        if self.schedule.has("inhibit"):
            await inhibited.prove(self, master)
        await self.settle(master, "peace")
        if self.schedule.has("clock"):
            await self.step_clocks(master)
        self.record.add("quiet")
        following = next(name for name in self.hosts if name != master)
        if any(action.args[1:2] == ("take-over", ) for action in self.schedule.actions) and master not in self.spared:
            await self.take_over(master, following)
        else:
            await self.obey(master, "be-none")
        await self.settle(following, "failover")
        for name, host in self.hosts.items():
            if host.processes["service"].fault:
                await self.begin_anew(host)
        for name, host in self.hosts.items():
            for kind in ("node", "service"):
                self.record.add("size", host=name, kind=kind, descriptors=host.descriptors(kind), memory=host.memory(kind))

    async def begin_anew(self, host):
        """A service whose files fail, or did, ends and begins anew: what it had told it knows, or says that it does not, and then lets
        nobody take over."""
        access, kept = self.access[host.name], host.processes["service"].kept
        await self.obey(host.name, "be-none")
        self.record.add("knows", host=host.name, sync=await access.property(HA, "LastInSync"))
        await self.end(host.name, "service")
        since = len(self.record.entries)
        await self.start(host.name, "service")

        async def has_looked():
            return any(entry["e"] == "past" and entry["host"] == host.name for entry in self.record.entries[since:])
        await eventually(f"the service of {host.name} knows its past", has_looked, START_SEC)
        await eventually(f"the service of {host.name} serves", self.serves(host.name, HA), START_SEC)
        if kept and not (await access.property(HA, "LastInSync"))[4]:  # of a file that could never be made nobody knows
            self.record.add("forgetful", host=host.name, error=await self.give(host, "take-over", [host.name]))

    async def settle(self, master, why):
        """On a machine that lets nobody run for three ticks a slave may be lost even now; not again and again, though."""
        for _ in range(4):
            await self.gather(master)
            start = len(self.record.entries)
            await self.compare(why)
            if not any(entry["e"] == "event" and entry["name"] == "NOMASTER" for entry in self.record.entries[start:]):
                return
            self.record.add("spoiled", text="a slave was lost meanwhile")
        raise NoPeace("slaves are lost again and again, and nothing is done to them")

    def is_large(self):
        return any(action.verb == "bulk" and int(action.args[1]) > promises.LARGE for action in self.schedule.actions)

    async def copy(self, master):
        """What is written to be copied is: a slave leaves, as much comes as it takes, and it is back."""
        slave = next(name for name in self.hosts if name != master)
        await self.obey(slave, "be-none")
        await clients.bulk(self.record, self.hosts[master], promises.COPIED_MIN)
        await self.gather(master)

    async def take_over(self, master, following):
        """The master dies, and one that followed it to the end takes over; one that has left it meanwhile may not. On a machine that
        lets nobody run for three ticks it may have left it, too."""
        *_, left = (name for name in self.hosts if name != master)
        for _ in range(4):
            await self.obey(left, "be-none")
            error = await self.give(self.hosts[left], "take-over", [master])
            if error != "org.confd.HA.Error.NotInSync":
                raise NoPeace(f"{left} left {master}, takes over from it, and that is not NotInSync but: {error or 'done'}")
            self.do_signal("kill", master, "node")
            await self.hosts[master].end("node")
            await eventually(f"{following} is none", self.is_in(following, "none"), START_SEC)
            good = not await self.give(self.hosts[following], "take-over", [master])
            await eventually(f"the node of {master} serves", self.serves(master, NODE), START_SEC)
            if good:
                return
            await self.gather(master)
        raise NoPeace(f"{following} followed {master} until it died, and may not take over from it")

    def is_in(self, name, state):
        async def check():
            return await self.access[name].property(HA, "State") == state
        return check

    async def step_clocks(self, master):
        """All clocks are stepped, apart from each other, and for longer than a silence may last nobody is lost by that; what a busy
        machine does by itself it does not do each time."""
        rng = random.Random(f"{self.schedule.seed} clocks in peace")
        for _ in range(4):
            start = len(self.record.entries)
            for name in self.hosts:
                await self.do_clock(name, rng.choice(STEPS))
            serial = self.record.next_serial()
            if not await clients.transact(self.record, self.access[master], serial, {mark_of(serial): str(serial)}, []):
                raise NoPeace(f"{master} takes no writes once the clocks are stepped")
            await asyncio.sleep(3.5 * TICK_SEC)
            if not any(entry["e"] == "event" for entry in self.record.entries[start:]):
                return
            await self.gather(master)
        self.record.add("disturbed", text="nodes lose each other, again and again, when the clocks are stepped")

    async def compare(self, why):
        self.record.add("settled", why=why)
        for name, host in self.hosts.items():
            if await clients.look(self.record, host, why, patience=20) is None:
                raise NoPeace(f"the data of {name} cannot be read")
            properties = await self.access[name].properties(HA)
            state, nodes = await self.access[name].call(HA, "Status")
            self.record.add("shows", host=name, why=why, state=state, nodes=nodes, slaves=properties["Slaves"], master=properties["Master"],
                            sync=properties["LastInSync"], property_state=properties["State"], node_state=await self.access[name].property(NODE, "State"))

    async def carry_out(self):
        loop = asyncio.get_running_loop()
        start = loop.time()
        for action in self.schedule.actions:
            await asyncio.sleep(max(0, start + action.at - loop.time()))
            self.record.add("action", text=str(action))
            await self.do(action)

    async def down(self):
        """Nobody is left. Returns what did not end well."""
        for writer in self.writers.values():
            await writer.end(0)
        for name in list(self.holders):
            self.do_let(name)
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.proxy:
            await self.proxy.close()
        return await self.cluster.down()

    async def run(self):
        """Returns the record. What broke off is in it, as "unsettled"."""
        try:
            await self.up()
            self.record.add("up", sanitized=self.cluster.preload is None, measured=self.is_measured(),
                            real=time.time() - self.record.now())
            await self.carry_out()
            await self.peace()
        except NoPeace as error:
            self.record.add("unsettled", text=str(error))
        finally:
            self.record.add("down")
            for text in await self.down():
                self.record.add("unclean", text=text)
            for path in self.cluster.sanitizer_reports():
                self.record.add("sanitizer", text=path.read_text(errors="replace")[:4000])
        return self.record
