# SPDX-License-Identifier: Apache-2.0
"""Owns inhibitors: those who take them, the polkit that lets ordinary users do all but pass them by, and what must hold meanwhile.

The contract: while the descriptor that Inhibit returned is open, by whomever, a role order of an ordinary user, by another connection,
fails with Inhibited and does nothing; SlaveDead and root pass; Inhibitors lists them. """

import asyncio
import collections
import os
import subprocess

import clients
import deadlines
from clients import HA
from dbus import Bus, Failed

USER = 65534
POLKIT = "org.freedesktop.PolicyKit1"
IGNORE = "org.confd.HA.ignore-inhibitors"
INHIBITED = "org.confd.HA.Error.Inhibited"
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
GONE_SEC = 2      # until nobody lists an inhibitor whose descriptor is closed
POLKIT_SEC = 2    # who waits longer for us may take it for a no
PATIENCE_SEC = 60


async def polkit(record, host):
    """The authority of that host's bus, over all its lives: ordinary users may do everything, but not ignore inhibitors."""
    while True:
        try:
            bus = await asyncio.wait_for(Bus.connect(f"{host.dir}/bus"), 5)
            bus.on_call = lambda member, sender, serial, args, bus=bus: \
                member == "CheckAuthorization" and bus.reply(sender, serial, "(bba{ss})", [(args[1] != IGNORE, False, {})])
            await bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", (POLKIT, 0))
            record.add("polkit", host=host.name, there=True)
            await bus.task
        except (OSError, Failed, asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass
        record.add("polkit", host=host.name, there=False)
        await asyncio.sleep(0.03)


class Inhibition:
    """One that is taken, held for a while, and let go: its holder closes it, or has given it to a process that ends."""

    def __init__(self, name, host, manner, whose, record):
        self.name, self.host, self.manner, self.record = name, host, manner, record
        self.uid = USER if whose == "user" else os.geteuid()
        self.access, self.watch = clients.Access(host, self.uid), clients.Access(host)
        self.enough, self.process, self.descriptor = asyncio.Event(), None, None

    async def take(self):
        """Returns the error's name, or ""."""
        self.record.add("inhibiting", host=self.host.name, holder=self.name)
        try:
            await self.access.call(HA, "Inhibit", "ss", (self.name, f"why {self.name}"))
            self.descriptor = (await self.access.get()).take_descriptor()
        except Failed as error:
            return error.name
        if self.manner == "process":  # it alone has it then
            self.process = subprocess.Popen(["sleep", str(10 * PATIENCE_SEC)], stdin=subprocess.DEVNULL, pass_fds=[self.descriptor])
            os.close(self.descriptor)
            self.access.close()
        self.record.add("inhibits", host=self.host.name, holder=self.name)
        return ""

    def let(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        elif self.descriptor is not None:
            os.close(self.descriptor)
        self.process = self.descriptor = None
        if self.manner == "process":
            self.access.close()

    async def run(self, seconds):
        try:
            if not await self.take():
                try:
                    await asyncio.wait_for(self.enough.wait(), seconds)
                except asyncio.TimeoutError:
                    pass
            await self.release()
        finally:
            self.let()
            self.access.close()
            self.watch.close()

    async def release(self):
        """And waits until nobody lists it any more."""
        let = self.record.add("lets", host=self.host.name, holder=self.name)["t"]
        self.let()
        while self.record.now() - let < PATIENCE_SEC:
            try:
                if self.name not in [who for who, *_ in await self.watch.property(HA, "Inhibitors")]:
                    self.record.add("free", host=self.host.name, holder=self.name)
                    return
            except Failed:
                pass
            await asyncio.sleep(0.02)
        self.record.add("uninhibited", text=f"{self.host.name}: {self.name} has let go, and is listed for {PATIENCE_SEC} s")


async def prove(runner, master):
    """In peace: what is held is listed and holds, to the end of the last who has it, and no longer."""
    host, access = runner.hosts[master], runner.access[master]
    by_user, by_process = (Inhibition(name, host, manner, whose, runner.record) for name, manner, whose in (("p1", "close", "user"), ("p2", "process", "root")))

    async def is_listed(*expected):
        for _ in range(PATIENCE_SEC * 20):
            listed = await access.property(HA, "Inhibitors")
            if [who for who, *_ in listed] == [inhibition.name for inhibition in expected]:
                break
            await asyncio.sleep(0.05)
        good = [(i.name, f"why {i.name}", i.uid) for i in expected] == [tuple(entry[:3]) for entry in listed]
        return good and all(entry[3] for entry in listed)

    async def plain(kind, *args, of=None):
        return await clients.order(runner.record, host, of or runner.users[master], kind, args, runner.cluster, user="holder" if of else "other")

    async def steps():
        yield "nobody inhibits, and somebody is listed", await is_listed()
        yield "Inhibit fails", await by_user.take() == ""
        yield "who inhibits is not listed as that", await is_listed(by_user)
        yield "BeMaster of another user is not Inhibited", await plain("be-master") == INHIBITED
        yield "BeNone of another user is not Inhibited", await plain("be-none") == INHIBITED
        yield "BeMaster of who inhibits fails", await plain("be-master", of=by_user.access) == ""
        yield "BeMaster of root fails", await runner.give(host, "be-master") == ""
        yield "SlaveDead is Inhibited", await plain("slave-dead", "nobody") != INHIBITED
        yield "Inhibit fails", await by_process.take() == ""
        yield "two who inhibit are not listed as that", await is_listed(by_user, by_process)
        yield "BeMaster of one who inhibits passes the other", await plain("be-master", of=by_user.access) == INHIBITED
        await by_user.release()
        yield "who has let go is listed, or who has not is not", await is_listed(by_process)
        yield "BeMaster is not Inhibited by a process that has the descriptor", await plain("be-master") == INHIBITED
        await by_process.release()
        yield "the process has ended, and is listed", await is_listed()
        yield "BeMaster of a user fails when nobody inhibits", await plain("be-master") == ""
    try:
        async for text, good in steps():
            if not good:
                runner.record.add("uninhibited", text=f"{master}: {text}")
                return
    finally:
        for inhibition in (by_user, by_process):
            inhibition.let()
            inhibition.access.close()
            inhibition.watch.close()


class Inhibitors:
    """Of a host: who surely inhibits, who may, and since when nothing came between."""

    def __init__(self):
        self.sure, self.perhaps, self.asked = set(), set(), {}
        self.begun = self.lives = 0   # how often one was begun; how often service, bus or polkit began or ended
        self.polkit = False

    def take(self, kind, entry):
        if kind == "inhibiting":
            self.perhaps.add(entry["holder"])
            self.begun += 1
            self.asked[entry["holder"]] = self.lives
        elif kind == "inhibits":
            if self.asked.get(entry["holder"]) == self.lives:  # not of a service that was gone when its answer was read
                self.sure.add(entry["holder"])
        elif kind in ("lets", "free"):
            self.sure.discard(entry["holder"])
            self.perhaps -= {entry["holder"]} if kind == "free" else set()
        elif kind == "polkit":
            self.polkit = entry["there"]
            self.lives += 1
        elif kind in ("started", "ended") and entry["kind"] in ("service", "bus") or kind == "fault" and entry["kind"] in ("service", "bus") and \
                entry["what"] in ("kill", "end"):
            self.sure.clear()
            self.lives += 1


def check(record, spans):
    """All that does not hold, as (invariant, at, text)."""
    hosts, pleas, let, waits = collections.defaultdict(Inhibitors), {}, {}, deadlines.Waits(record, spans)
    for entry in record:
        kind, name, at = entry["e"], entry.get("host"), entry["t"]
        host = hosts[name]
        host.take(kind, entry)
        if kind == "uninhibited":
            yield "inhibited", at, entry["text"]
        elif kind == "lets":
            let[name, entry["holder"]] = at, host.lives
        elif kind == "free":
            since, lives = let[name, entry["holder"]]
            if lives == host.lives and at - since > GONE_SEC + waits.all(name, ("service", "bus"), since, at):
                yield "inhibited", at, f"{name}: {entry['holder']} let go at {since:.2f} s, and was listed until now"
        elif kind in ("plea", "order") and entry.get("user"):
            pleas[entry["n"]] = entry, set(host.sure), bool(host.perhaps), host.begun, host.lives if host.polkit else None
        elif kind == "pleaded":
            plea, sure, perhaps, begun, lives = pleas.pop(entry["n"])
            what, error = " ".join((plea["kind"], *plea["args"])), entry["error"]
            slow = error == DENIED and at - plea["t"] > POLKIT_SEC
            if error == INHIBITED and (plea["kind"] == "slave-dead" or not perhaps and begun == host.begun):
                yield "inhibited", at, f"{name}: {what} is refused as inhibited, and is not"
            elif error != INHIBITED and sure & host.sure and lives == host.lives and plea["kind"] != "slave-dead" and plea["user"] == "other" and not slow:
                yield "inhibited", at, f"{name}: {sorted(sure & host.sure)} inhibit, and {what} of a user ends with {error or 'success'}"
        elif kind == "answer" and entry["error"] == INHIBITED:
            yield "inhibited", at, f"{name}: an order of root's is Inhibited"
