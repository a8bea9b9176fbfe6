# SPDX-License-Identifier: Apache-2.0
"""Owns those who come to a node's doors and mean no good: connections of every bad kind on both ports, callers on the bus."""

import asyncio
import collections
import os
import struct

import dbus
import ipc

AT_A_TIME = 40      # of each kind
GONE_SEC = 60       # the node closes a stranger after 5 s; this machine may be slow
SLOW_SEC = 0.1      # a byte
ANSWER_SEC = 300    # for a call on the bus, most of which it waits in this process: it has thousands of connections to look after
GREETING = struct.pack(">HIBB", 82, 0x08020500, 0, 0)
IPC_EVENTS, IPC_ORDERS = b"\x0b" + GREETING, b"\x11" + GREETING
SUBSCRIPTION = ipc.encode((64, 0, 0, ipc.Atom("undefined"), 0))
HELLO = struct.pack(">IB8sHH", 13, 1, b"CONFD-HA", 2, 2)
GARBAGE = bytes(range(255, -1, -1)) * 4


def frame(body):
    return struct.pack(">I", len(body)) + body


#: What each kind says, and whether it then waits for the node to close. "slow" says it byte by byte.
IPC_KINDS = {
    "silent": b"", "half": IPC_EVENTS[:5], "garbage": b"\xff" + GARBAGE, "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3, "slow": IPC_EVENTS,
    "half-token": IPC_ORDERS + b"\0\0\0\x10abc", "huge": IPC_ORDERS + b"\xff\xff\xff\xff", "huge-subscription": IPC_EVENTS + b"\x7f\xff\xff\xff",
    "empty-subscription": IPC_EVENTS + b"\0\0\0\0", "closes": None, "half-subscription": IPC_EVENTS + frame(SUBSCRIPTION)[:-2],
    "lies": IPC_EVENTS + frame(b"\x83" + b"h\x01" * 2000), "lies-later": IPC_EVENTS + frame(SUBSCRIPTION) + frame(GARBAGE),
    "never-reads": IPC_EVENTS + frame(SUBSCRIPTION) + frame(ipc.encode(ipc.Atom("ha_synced"))) * 20000}
HA_KINDS = {
    "silent": b"", "half": HELLO[:9], "garbage": GARBAGE, "slow": HELLO, "closes": None, "huge": b"\xff\xff\xff\xff\x01", "empty": b"\0\0\0\0",
    "old": struct.pack(">IB8sHH", 13, 1, b"CONFD-HA", 0, 1), "type": struct.pack(">IB8sHH", 13, 3, b"CONFD-HA", 2, 2),
    "lies-later": HELLO + b"\x16\x03\x01\x03\xff" + bytes(1023), "alert": HELLO + b"\x15\x03\x03\x00\x02\x02\x28",
    "never-reads": HELLO + b"\x16\x03\x01\x40\x00" + bytes(1 << 20), "half-tls": HELLO + b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03" + bytes(40)}


async def one(address, port, kind, says):
    """One connection. Returns how it ended."""
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except OSError:
        return "refused"
    try:
        if says is None:
            return "closed"
        if kind == "never-reads":
            reader._transport.pause_reading()  # pylint: disable=protected-access
        for piece in [bytes([byte]) for byte in says] if kind == "slow" else [says]:
            writer.write(piece)
            if kind == "slow":
                await asyncio.sleep(SLOW_SEC)
            if writer.is_closing():
                return "ended"
        if kind == "never-reads":
            # It cannot see an end. What is written is taken, or the connection breaks; a subscriber may do that for ever.
            try:
                await asyncio.wait_for(writer.drain(), 2)
            except asyncio.TimeoutError:
                pass
            return "closed"
        while await asyncio.wait_for(reader.read(65536), GONE_SEC):
            pass
        return "ended"
    except asyncio.TimeoutError:
        return "STAYS"
    except OSError:
        return "ended"
    finally:
        writer.transport.abort()


async def flood(address, port, kinds, count, told):
    async def some(kind, says, left):
        while left:
            left.pop()
            told[f"{port} {kind} {await one(address, port, kind, says)}"] += 1
    workers = []
    for kind, says in kinds.items():
        left = [None] * count
        workers += [some(kind, says, left) for _ in range(AT_A_TIME)]
    await asyncio.gather(*workers)
    for kind in kinds:
        if told[f"{port} {kind} refused"] > count / 2:  # then nothing of that kind was tried
            told[f"{port} {kind} IS NOT LET IN"] += 1


# ---- on the bus

NODE = ("org.confd.HANode", "/org/confd/HANode", "org.confd.HANode")
SERVICE = ("org.confd.HA", "/org/confd/HA", "org.confd.HA")
LONG = "/" + "k" * 511
#: Calls that the node and the service have to refuse, whatever they are.
BAD_CALLS = {NODE: [("Get", "s", [""]), ("Get", "s", ["no-slash"]), ("Get", "s", [LONG]), ("Get", "", []), ("Get", "u", [7]), ("Get", "ss", ["/a", "/b"]),
             ("Get", "as", [["/a"]]), ("List", "s", ["/"]), ("List", "ssu", ["/", LONG, 10]), ("List", "ssi", ["/", "", -1]), ("List", "ssu", [LONG, "", 1]),
             ("Apply", "", []), ("Apply", "a{ss}", [{"/a": "b"}]), ("Apply", "a{ss}as", [{"": "b"}, []]), ("Apply", "a{ss}as", [{"x": "b"}, []]),
             ("Apply", "a{ss}as", [{LONG: "b"}, []]), ("Apply", "a{ss}as", [{"/good": "b"}, [""]]), ("Apply", "a{ss}as", [{"/good": "b"}, [LONG]]),
             ("Apply", "a{ss}as", [{"/good": "b"}, ["no-slash"]]), ("Apply", "a{ss}as", [{"/both": "b"}, ["/both"]]),
             ("Apply", "asa{ss}", [[], {}]), ("Apply", "a{ss}as", [{"/big": "x" * (8 << 20) + "x"}, []]), ("SetPhase", "u", [0]), ("SetPhase", "u", [3]),
             ("SetPhase", "u", [2**32 - 1]), ("SetPhase", "s", ["2"]), ("Slaves", "s", ["x"]), ("Nothing", "", []), ("Nothing", "v", [("s", "x")])],
             SERVICE: [
                 ("BeMaster", "", []), ("BeMaster", "u", [1]), ("BeMaster", "s", [""]), ("BeMaster", "s", ["  "]), ("BeMaster", "s", ["n" * 128]),
                 ("BeMaster", "s", ["n\t1"]), ("BeMaster", "s", ["n\u200b1"]), ("BeMaster", "ss", ["n1", "n2"]), ("BeSlave", "sss", ["n1", "n2", "::1"]),
                 ("BeSlave", "sssb", ["n1", "n2", "nowhere", False]), ("BeSlave", "sssb", ["n1", "n2", "127.0.0.256", True]),
                 ("BeSlave", "sssb", ["", "n2", "127.0.0.1", False]), ("BeSlave", "sssb", ["n1", "", "127.0.0.1", False]),
                 ("BeSlave", "sssu", ["n1", "n2", "127.0.0.1", 2]), ("BeRelay", "b", [True]), ("BeNone", "s", ["n1"]), ("Status", "s", ["n1"]),
                 ("SlaveDead", "", []), ("SlaveDead", "s", [""]), ("SlaveDead", "as", [["n2"]]), ("TakeOver", "s", ["n1"]),
                 ("TakeOver", "ss", ["", "n2"]), ("TakeOver", "ss", ["n1", "n" * 128]), ("Inhibit", "s", ["who"]), ("Reload", "s", ["x"]),
                 ("Nothing", "", [])]}
#: What those ask who vanish, flood, or never read. Fewer at a time of the service: places for those who wait are limited for each user.
QUESTIONS = {NODE: [("Slaves",), ("List", "ssu", ["/", "", 100])] * 8, SERVICE: [("Status",)] * 4}
FLOOD = {NODE: [("Get", "s", ["/nothing"])] * 32, SERVICE: [("Status",)] * 4}
UNREAD = {NODE: (NODE[2], "List", "ssu", ["/", "", 1000]), SERVICE: ("org.freedesktop.DBus.Properties", "GetAll", "s", [SERVICE[2]])}


def whom(number):
    return (NODE, SERVICE)[number % 2]


async def arrive(path):
    for _ in range(100):
        try:
            return await dbus.Bus.connect(path)
        except (OSError, ConnectionError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.05)
    raise ConnectionError(path)


async def malformed(path, told, number):
    bus, target = await arrive(path), whom(number)
    calls, big = BAD_CALLS[target], 0
    while True:
        for member, signature, args in calls[number % len(calls):] + calls[:number % len(calls)]:
            if signature == "a{ss}as" and "/big" in args[0]:
                big += 1
                if big > 1:
                    continue
            try:
                await asyncio.wait_for(bus.call(*target, member, signature, args), ANSWER_SEC)
                told[f"bus {member} {signature} {str(args)[:60]} IS TAKEN"] += 1
            except dbus.Failed as error:
                told[f"bus {member} {signature} refused" if error.name != dbus.GONE else "bus gone"] += 1
                if error.name == dbus.GONE:
                    bus = await arrive(path)
            except asyncio.TimeoutError:
                told[f"bus {member} {signature} {str(args)[:60]} HAS NO ANSWER"] += 1
            await asyncio.sleep(0.01)


async def vanish(path, _, number):
    while True:
        bus = await arrive(path)
        calls = [asyncio.create_task(bus.call(*whom(number), *call)) for call in QUESTIONS[whom(number)]]
        for call in calls:
            call.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0.02)
        bus.close()


async def overwhelm(path, told, number):
    bus, target = await arrive(path), whom(number)
    while True:
        done = await asyncio.gather(*[bus.call(*target, *call) for call in FLOOD[target]], return_exceptions=True)
        told[f"bus flood of {target[0]} answered"] += sum(getattr(answer, "name", None) != dbus.GONE for answer in done)
        if bus.gone:
            bus = await arrive(path)
        await asyncio.sleep(0.05)


async def never_read(path, _, number):
    bus, target = await arrive(path), whom(number)
    interface, member, signature, args = UNREAD[target]
    bus.reader._transport.pause_reading()  # pylint: disable=protected-access
    for _ in range(100):
        bus.serial += 1
        bus.writer.write(dbus.encode(dbus.CALL, bus.serial, {
            dbus.PATH: ("o", target[1]), dbus.DESTINATION: ("s", target[0]), dbus.INTERFACE: ("s", interface), dbus.MEMBER: ("s", member)},
            signature, args))
    await asyncio.Event().wait()


async def crowd(path, each, told):
    """So many callers of each kind, until they are cancelled."""
    await asyncio.gather(*[kind(path, told, number) for kind in (malformed, vanish, overwhelm, never_read) for number in range(each)])


async def attack(address, path, count, callers):
    """All of it at a time; prints what came of it."""
    told = collections.Counter()
    bus = asyncio.create_task(crowd(path, callers, told))
    await asyncio.gather(flood(address, 4565, IPC_KINDS, count, told), flood(address, 4570, HA_KINDS, count, told))
    if bus.done():
        told[f"bus: THE CROWD ENDED: {bus.exception()!r}"] += 1
    bus.cancel()
    print("\n".join(f"{number}\t{what}" for what, number in sorted(told.items())), flush=True)
    os._exit(0)
