# SPDX-License-Identifier: Apache-2.0
"""Owns those who use a cluster: writers, readers, givers of orders, listeners. All that they hear goes into the record."""

import asyncio
import os
import random
import re

import ipc
from dbus import GONE, Bus, Failed
from record import digest, mark_of, value_of

NODE = ("org.confd.HANode", "/org/confd/HANode", "org.confd.HANode")
HA = ("org.confd.HA", "/org/confd/HA", "org.confd.HA")
PROPERTIES = "org.freedesktop.DBus.Properties"
KEYS = 40
LATE_SEC = 0.5
REPLACED = re.compile(rb"The copy replaces \d+ entries, transaction (\S+), by \d+ entries, transaction (\S+)")
COMPLAINT = re.compile(rb"/state/last-in-sync: cannot be (read|written), so what .*?: ([A-Z][^;\n]*)|last-in-sync in the state directory is damaged")
NOT_LET = ("org.confd.HA.Error.Inhibited", "org.freedesktop.DBus.Error.AccessDenied")  # such an order is none
LOAD_SEC = 10  # in which a load that is refused gives up
METHODS = {"be-master": ("BeMaster", "s"), "be-none": ("BeNone", ""), "be-relay": ("BeRelay", ""), "be-slave": ("BeSlave", "sssb"),
           "slave-dead": ("SlaveDead", "s"), "take-over": ("TakeOver", "ss")}


class Access:
    """A connection to a host's bus that is made anew when it has ended."""

    def __init__(self, host, uid=None):
        self.host, self.uid, self.bus, self.closed = host, uid, None, False

    async def get(self):
        if self.closed:
            raise Failed(GONE, "closed")
        if self.bus is None or self.bus.gone:
            try:
                self.bus = await asyncio.wait_for(Bus.connect(f"{self.host.dir}/bus", self.uid), 5)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
                raise Failed(GONE, "no bus") from error
        return self.bus

    async def call(self, target, method, signature="", args=()):
        return await (await self.get()).call(*target, method, signature, args)

    async def property(self, target, name):
        return (await (await self.get()).call(*target[:2], PROPERTIES, "Get", "ss", (target[2], name)))[0]

    async def properties(self, target):
        bus = await self.get()
        return (await bus.call(*target[:2], PROPERTIES, "GetAll", "s", (target[2],)))[0]

    def close(self):
        self.closed = True
        if self.bus:
            self.bus.close()


class Writer:
    """Writes at one host after the other, one transaction at a time."""

    def __init__(self, name, seed, record):
        self.name, self.record, self.rng = name, record, random.Random(f"{seed} {name}")
        self.access, self.kind, self.tasks = None, "small", []

    def turn(self, host, kind):
        self.rest()
        self.access, self.kind = Access(host), kind
        self.tasks.append(asyncio.create_task(self.record.watch(self.run(self.access))))

    def rest(self):
        """No new transaction; one that is under way is waited for, by itself."""
        self.access = None

    async def end(self, patience):
        """Nothing is under way any more, not even on a bus."""
        self.rest()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=patience)
        for task in self.tasks:
            task.cancel()

    def size(self):
        if self.kind == "small":
            return self.rng.choice((1, 20, 200))
        if self.kind == "mixed":
            return self.rng.choice((1, 200, 5000, 65536))
        return self.rng.choice((10, 65536, 262144, 262144, 1 << 20, 8 << 20))

    def changes(self, serial):
        sets = {mark_of(serial): str(serial)}
        if self.kind == "single":
            for key in {f"/k/{self.rng.randrange(KEYS)}" for _ in range(self.rng.choice((1, 3, 8)))}:
                sets[key] = self.record.single_value(key, serial) or value_of(serial, 20)
        for _ in range(0 if self.kind == "single" else self.rng.choice((0, 1, 1, 3, 8)) if self.kind != "large" else 1):
            sets[f"/k/{self.rng.randrange(KEYS)}"] = value_of(serial, self.size())
        gone = {f"/k/{self.rng.randrange(KEYS)}" for _ in range(self.rng.choice((0, 0, 1, 3)))}
        return sets, sorted(gone - set(sets))

    async def run(self, access):
        try:
            while access is self.access:
                serial = self.record.next_serial()
                good = await transact(self.record, access, serial, *self.changes(serial))
                await asyncio.sleep(self.rng.choice((0, 0.005, 0.01, 0.03)) if good else 0.1)
        finally:
            access.close()


async def transact(record, access, serial, sets, gone):
    """One Apply, with its place in the record. Returns whether it was acknowledged."""
    host = access.host
    try:
        await access.get()  # before it counts as asked: which life of the node will be asked is known then
    except Failed:
        return False
    record.add("write", serial=serial, host=host.name, boot=host.boots["node"], sets={k: digest(v) for k, v in sets.items()}, gone=gone)
    try:
        (transaction,) = await access.call(NODE, "Apply", "a{ss}as", (sets, gone))
        record.add("acked", serial=serial, id=transaction)
        return True
    except Failed as error:
        record.add("failed", serial=serial, error=error.name)
    except asyncio.CancelledError:
        record.add("left", serial=serial)
        raise
    return False


async def bulk(record, host, mebibytes):
    """Much data, in transactions of 4 MiB, at a host that may be master only later, or be gone for a while."""
    access, left, since = Access(host), max(1, mebibytes // 4), record.now()
    try:
        while left and record.now() - since < LOAD_SEC:
            serial = record.next_serial()
            sets = {mark_of(serial): str(serial)}
            sets.update({f"/b/{serial}/{i}": value_of(serial, 32768) for i in range(128)})
            if await transact(record, access, serial, sets, []):
                record.add("loaded", host=host.name, mebibytes=4)
                left, since = left - 1, record.now()
            else:
                await asyncio.sleep(0.1)
    finally:
        access.close()


class Reader:
    """Reads at one host without a pause: the marks of all transactions, those of the last ones, one value. Each page and each value
    is of one moment, and the answer is judged by invariants.py."""

    def __init__(self, name, seed, record):
        self.record, self.rng, self.last = record, random.Random(f"{seed} {name}"), 0

    async def run(self, host):
        access = Access(host)
        try:
            while True:
                try:
                    bus = await access.get()
                    await (self.value(host, bus) if self.rng.random() < 0.6 else self.marks(host, bus))
                except Failed:
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0)
        finally:
            access.close()

    def asking(self, host):
        number = self.record.next_reading()
        self.record.add("reading", n=number, host=host.name, boot=host.boots["node"])
        return number

    async def value(self, host, bus):
        key, number = f"/k/{self.rng.randrange(KEYS)}", self.asking(host)
        try:
            (value,) = await bus.call(*NODE, "Get", "s", [key])
            _, keys = self.record.sort_out(host.name, "reader", {key: value})
            if not keys:
                return
            found = dict(zip(("serial", "value"), keys[key]))
        except Failed as error:
            if not error.name.endswith(".NotFound"):
                raise
            found = {"serial": None}
        self.record.add("read", n=number, host=host.name, boot=host.boots["node"], key=key, **found)

    async def marks(self, host, bus):
        """The last ones, or now and then all."""
        after = mark_of(max(0, self.last - 30)) if self.rng.random() < 0.95 else ""
        number = self.asking(host)
        entries, more = await bus.call(*NODE, "List", "ssu", ["/m/", after, 0])
        marks = sorted(self.record.sort_out(host.name, "reader", entries)[0])
        if not more:
            self.record.add("read", n=number, host=host.name, boot=host.boots["node"], after=int(after[3:] or 0), marks=marks)
        self.last = max(marks, default=0)


class Holder:
    """A subscriber for whom the HA steps of a host wait. Meanwhile it asks the service there for the status."""

    def __init__(self, name, host, manner, record):
        self.name, self.host, self.manner, self.record = name, host, manner, record
        self.life = 0
        self.tasks = [asyncio.create_task(record.watch(work)) for work in (self.run(), self.ask())]

    @property
    def is_quick(self):
        return self.manner not in ("never", "vanish") and float(self.manner) <= 0.5

    def let(self):
        for task in self.tasks:
            task.cancel()

    async def run(self):
        while True:
            try:
                await self.subscribe()
            except (OSError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(0.1)

    async def subscribe(self):
        loop, subscription = asyncio.get_running_loop(), await ipc.Subscription.begin(self.host.address, wait_for_us=True)
        self.life += 1

        def acknowledge(life):
            if life == self.life:
                self.record.add("synced", host=self.host.name, holder=self.name, life=life)
                subscription.acknowledge()
        try:
            while True:
                name, _ = await subscription.event()
                self.record.add("held", host=self.host.name, boot=self.host.boots["node"], holder=self.name, life=self.life, name=name)
                if self.manner == "vanish":
                    loop.call_later(0.3, subscription.close)
                elif self.manner != "never":
                    loop.call_later(float(self.manner), acknowledge, self.life)
        finally:
            subscription.close()

    async def ask(self):
        access = Access(self.host)
        try:
            while True:
                since, boots = self.record.now(), dict(self.host.boots)
                try:
                    await access.call(HA, "Status")
                    error = ""
                except Failed as failure:
                    error = failure.name
                if boots == self.host.boots:
                    self.record.add("status", host=self.host.name, since=since, error=error)
                await asyncio.sleep(0.2)
        finally:
            access.close()


async def look(record, host, why, patience=8):
    """Reads the data of a host, whole, with its transaction id. Gives up if it changes all the time."""
    access = Access(host)
    try:
        for _ in range(patience):
            boot = host.boots["node"]
            asking = record.add("asking", host=host.name)["t"]
            before, joining = await access.property(NODE, "TransactionId"), await access.property(NODE, "Joining")
            marks, keys, after = [], {}, ""
            while True:
                entries, after = await access.call(NODE, "List", "ssu", ("", after, 0))
                more_marks, more_keys = record.sort_out(host.name, why, entries)
                marks += more_marks
                keys.update(more_keys)
                if not after:
                    break
            if await access.property(NODE, "TransactionId") == before and boot == host.boots["node"]:
                record.add("data", host=host.name, boot=boot, id=before, marks=sorted(marks), keys=keys, why=why,
                           asked=asking, joining=joining or await access.property(NODE, "Joining"))
                return before
    except Failed:
        pass
    finally:
        access.close()
    return None


async def order(record, host, access, kind, args, cluster, user=None):
    """An order by the service. Returns the error's name, or "" for success. One of an ordinary user's ("holder": who inhibits, by
    that connection, or "other") is a plea in the record, until it is known that it was let pass."""
    number = record.next_order()
    method, signature = METHODS[kind]
    values = []
    if kind == "be-master":
        values = [host.name]
    elif kind == "be-slave":
        values = [host.name, args[0], cluster.hosts[args[0]].address, "nowait" not in args]
    elif kind == "slave-dead":
        values = [args[0]]
    elif kind == "take-over":
        values = [host.name, "" if args[0] == "any" else args[0]]
    entry = record.add("plea" if user else "order", n=number, host=host.name, kind=kind, args=list(args), by="service", boots=dict(host.boots))
    if user:
        entry["user"] = user
    try:
        await access.call(HA, method, signature, values)
        error, text = "", ""
    except Failed as failure:
        error, text = failure.name, str(failure)
    except asyncio.CancelledError:
        entry["e"] = "order"
        record.add("unanswered", n=number, host=host.name)
        raise
    if user:
        record.add("pleaded", n=number, host=host.name, error=error)
        if error in NOT_LET:
            return error
        entry["e"] = "order"
    record.add("answer", n=number, host=host.name, error=error, text=text)
    return error


async def raw_order(record, host, kind, args, cluster, token):
    """An order by a controller that takes the service's place for it; perhaps it is gone as soon as it has said it."""
    number = record.next_order()
    name = host.name.encode()
    term = {"be-master": (ipc.BE_MASTER, name), "be-none": (ipc.BE_NONE,), "be-relay": (ipc.BE_RELAY,)}.get(kind)
    if kind == "be-slave":
        address = tuple(int(part) for part in cluster.hosts[args[0]].address.split("."))
        term = (ipc.BE_SLAVE, name, (args[0].encode(), address), 1)
    record.add("order", n=number, host=host.name, kind=kind, args=list(args), by="raw", boots=dict(host.boots))
    controller, error = None, "lost"
    try:
        controller = await asyncio.wait_for(ipc.Controller.open(host.address, token), 5)
        if "vanish" in args:
            return await controller.say(*term)
        answer = await controller.order(*term)
        error = "" if answer == "ok" else f"code {answer[1]}"
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        pass
    finally:
        record.add("answer", n=number, host=host.name, error=error, text="")
        if controller:
            controller.close()


async def heartbeat(record):
    """Tells when we ourselves did not run: nothing that seems late then is."""
    while True:
        since = record.now()
        await asyncio.sleep(0.05)
        if record.now() - since > 0.3:
            record.add("stalled", since=since)


async def read_log(record, host):
    """What a node says of copies as it takes them: nobody else knows what it had until then."""
    at, rest, since = 0, b"", record.now()
    while True:
        await asyncio.sleep(0.2)
        now = record.now()
        try:
            with open(host.dir / "node.log", "rb") as log:
                log.seek(at)
                read = log.read()
        except FileNotFoundError:
            read = b""  # it has not been started yet
        at += len(read)
        *lines, rest = (rest + read).split(b"\n")
        for found in filter(None, map(REPLACED.search, lines)):
            record.add("replaced", host=host.name, since=since, old=found[1].decode(), new=found[2].decode())
        since = now


class Complaints:
    """What the service of a host says in its log of the file that keeps its past."""

    def __init__(self):
        self.at = 0

    def take(self, record, host):
        with open(host.dir / "service.log", "rb") as log:
            log.seek(self.at)
            read = log.read()
        whole = read[:read.rfind(b"\n") + 1]
        self.at += len(whole)
        for found in COMPLAINT.finditer(whole):
            record.add("complains", host=host.name, what=(found[1] or b"damaged").decode(), error=(found[2] or b"").decode())


def run_delays(pid):
    """How long each thread of a process has waited for a processor so far, in seconds; nothing, where the kernel does not say."""
    delays = {}
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as stat:
                delays[pid, thread] = int(stat.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        pass  # it, or the thread, is no more
    return delays


async def starvation(record, hosts):
    """Tells who has waited for a processor, and for how long: of what is late then that much is the machine's."""
    before, since = {}, record.now()
    while True:
        await asyncio.sleep(0.2)
        whose = {("", "harness"): os.getpid()}
        whose.update({(host.name, kind): process.popen.pid for host in hosts.values() for kind, process in host.processes.items() if process.runs})
        now = {who: run_delays(pid) for who, pid in whose.items()}
        for (host, kind), delays in now.items():
            waited = sum(delay - before.get((host, kind), {}).get(thread, 0) for thread, delay in delays.items())
            if waited > 0.02:
                record.add("starved", host=host, kind=kind, since=since, waited=round(waited, 3))
        before, since = now, record.now()


async def probe(record, host):
    """Asks the node for nothing, over and over, and tells when the answer is late. What the bus is asked meanwhile shows whether
    it is the machine or the bus that lets nobody run."""
    node, bus = Access(host), Access(host)
    try:
        while True:
            boot, since = host.boots["node"], record.now()
            try:
                await node.property(NODE, "Phase")
                late = record.now() - since
                again = record.now()
                await (await bus.get()).call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId")
                if late > LATE_SEC and boot == host.boots["node"]:
                    record.add("late", host=host.name, boot=boot, since=since, late=late, bus=record.now() - again)
            except Failed:
                pass
            await asyncio.sleep(0.1)
    finally:
        node.close()
        bus.close()


async def listen_to_node(record, host, hear):
    """The node's own events, over all its lives."""
    while True:
        boot = 0

        def tell(name, data):
            nonlocal boot
            boot = host.boots["node"] if name == "SUBSCRIBED" else boot
            record.add("event", host=host.name, boot=boot, name=name, data=data)
            hear(host, name, data)
        try:
            await ipc.events(host.address, tell)
        except (OSError, asyncio.IncompleteReadError, ConnectionError):
            pass
        await asyncio.sleep(0.03)


async def listen_to_service(record, host, hear):
    """What the service signals, over all its lives and the bus's."""
    while True:
        try:
            bus = await asyncio.wait_for(Bus.connect(f"{host.dir}/bus"), 5)
            boot = host.boots["bus"]

            def on_signal(interface, member, args, boot=boot):
                if interface == HA[2]:
                    record.add("signal", host=host.name, boot=boot, service=host.boots["service"], member=member, args=args)
                    hear(host, member, args)
                elif interface == PROPERTIES and args[0] == HA[2]:
                    record.add("changed", host=host.name, boot=boot, service=host.boots["service"],
                               values={name: value for name, value in args[1].items() if name in ("State", "Master", "Slaves", "LastInSync")})
                elif member == "NameOwnerChanged" and args[0] == HA[0]:
                    record.add("owner", host=host.name, boot=boot, there=bool(args[2]))
            bus.on_signal = on_signal
            await bus.match("type='signal',path='/org/confd/HA'")
            await bus.match("type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.confd.HA'")
            record.add("listening", host=host.name, boot=boot)
            await bus.task
        except (OSError, Failed, asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass
        await asyncio.sleep(0.03)
