# SPDX-License-Identifier: Apache-2.0
"""Owns what is done with settings while a cluster runs: they are read again, and in peace it is seen that they hold.

NoPeace is runner.py's, which needs this file: what does not hold goes into the record as "unconfigured". """

import asyncio
import random
import signal

import clients
from clients import HA
from cluster import TICK_SEC
from dbus import Failed

READ_SEC = 20            # until a program has read its files again, on a busy machine
TRIES = 4                # what a busy machine spoils it does not spoil each time
REQUEST_SEC, SHORT_TICK_SEC = 0.7, 0.4
READ, REFUSED = "has been read again", "is refused, the old one stays"
BAD = "org.confd.HA.Error.BadConfiguration"


async def read_again(runner, name, kind, broken=False):
    """The program reads its files again. What it says of them goes into the record as "reloaded"; nothing if it is not there."""
    host = runner.hosts[name]
    async with runner.reading[name, kind]:
        boots = dict(host.boots)
        if not await runner.is_served(name, HA if kind == "service" else clients.NODE):
            return
        settings = dict(host.settings[kind])
        host.break_configuration(kind, broken)
        try:
            error = await asyncio.wait_for((reload_service if kind == "service" else reload_node)(runner, host), READ_SEC)
        except (Failed, asyncio.TimeoutError):
            return
        finally:
            host.break_configuration(kind, False)
        if boots == host.boots and host.runs(kind):
            runner.record.add("reloaded", host=name, kind=kind, broken=broken, error=error, settings=settings)


async def reload_service(runner, host):
    try:
        await runner.access[host.name].call(HA, "Reload")
        return ""
    except Failed as error:
        if not error.name.startswith("org.confd.HA."):
            raise
        return error.name


async def reload_node(_, host):
    """By what it logs."""
    log = host.dir / "node.log"
    start = log.stat().st_size
    host.send("node", signal.SIGHUP)
    while True:
        with open(log, "rb") as lines:
            lines.seek(start)
            text = lines.read().decode(errors="replace")
        if READ in text or REFUSED in text:
            return "" if READ in text else BAD
        if not host.runs("node"):
            raise Failed("chaos.Gone")
        await asyncio.sleep(0.02)


async def prove(runner, master):
    """In peace: reading files again loses nobody, whether they are good or not; then a service gives up an order, and a master a
    slave, when the new times are over, and not before."""
    rng = random.Random(f"{runner.schedule.seed} settings in peace")
    slave = rng.choice([name for name in runner.hosts if name != master])
    for what in (nobody_is_lost, an_order_is_given_up, a_slave_is_given_up):
        for _ in range(TRIES):
            why = await what(runner, master, slave)
            if not why:
                break
            await roles_anew(runner, master)
        else:
            runner.record.add("unconfigured", text=f"{why}, {TRIES} times")
        for name, host in runner.hosts.items():
            for kind, settings in host.settings.items():
                host.configure(kind, **dict.fromkeys(settings))
                await read_again(runner, name, kind)
    await roles_anew(runner, master)


def set_to(runner, name, kind, key, value):
    runner.hosts[name].configure(kind, **{key: value})
    runner.record.add("config", host=name, kind=kind, key=key, value=value)


async def roles_anew(runner, master):
    """Other ticks hold from the next role on."""
    for name in runner.hosts:
        await runner.obey(name, "be-none")
    await runner.gather(master)


async def nobody_is_lost(runner, *_):
    start = len(runner.record.entries)
    for name in runner.hosts:
        for kind, key in (("node", "TickTimeoutSec"), ("service", "RequestTimeoutSec")):
            set_to(runner, name, kind, key, 2)
            for broken in (True, False):
                await read_again(runner, name, kind, broken)
    await asyncio.sleep(1.5 * TICK_SEC)
    found = [entry for entry in runner.record.entries[start:] if entry["e"] in ("event", "signal") and
             entry.get("name", entry.get("member")) not in ("BESLAVE_RESULT", "BeSlaveResult")]  # of before, held by somebody
    return f"settings are read again, and {found[0]} comes" if found else ""


async def an_order_is_given_up(runner, _, slave):
    host = runner.hosts[slave]
    set_to(runner, slave, "service", "RequestTimeoutSec", REQUEST_SEC)
    for broken in (False, True):  # what is broken changes nothing
        await read_again(runner, slave, "service", broken)
    runner.do_signal("stop", slave, "node")
    since = runner.record.now()
    error = await runner.give(host, "slave-dead", ["nobody"])
    took = runner.record.now() - since
    runner.do_signal("cont", slave, "node")
    good = error == "org.confd.HA.Error.Timeout" and REQUEST_SEC * 0.9 < took < REQUEST_SEC + 1.5
    return "" if good else f"RequestTimeoutSec is {REQUEST_SEC}, and after {took:.2f} s an order ends with {error or 'success'}"


async def a_slave_is_given_up(runner, master, slave):
    for name in runner.hosts:
        set_to(runner, name, "node", "TickTimeoutSec", SHORT_TICK_SEC)
        for broken in (False, True):
            await read_again(runner, name, "node", broken)
    await roles_anew(runner, master)
    start, since = len(runner.record.entries), runner.record.now()
    runner.do_signal("stop", slave, "node")
    died = None
    while died is None and runner.record.now() - since < 3 * TICK_SEC:
        await asyncio.sleep(0.02)
        died = next((entry["t"] for entry in runner.record.entries[start:] if entry["e"] == "event" and entry["name"] == "SLAVE_DIED" and
                     entry["data"] == slave), None)
    runner.do_signal("cont", slave, "node")
    took = (died or 3600) - since
    # By ticks of a second it would be two at least: the last one is a second old, or less.
    return "" if 1.8 * SHORT_TICK_SEC < took < 2 * TICK_SEC * 0.95 else f"ticks are {SHORT_TICK_SEC} s, and a slave that stops is dead after {took:.2f} s"
