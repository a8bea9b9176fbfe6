# SPDX-License-Identifier: Apache-2.0
"""Owns a ConfD that lies: a small model of roles that is told the truth, and what is said in its stead."""

import asyncio
import collections
import struct

import ipc
from ipc import Atom

HA_NAMES = {1: "none", 2: "slave", 3: "master", 4: "slave-relay"}
OK = Atom("ok")
EVENTS_IN_A_STORM = 3000


class Raw(bytes):
    """Bytes that stand for a term as they are."""


def inner(term):
    if isinstance(term, Raw):
        return bytes(term)
    if isinstance(term, list):
        return b"l" + struct.pack(">I", len(term)) + b"".join(map(inner, term)) + b"j" if term else b"j"
    if isinstance(term, float):
        return b"F" + struct.pack(">d", term)
    if isinstance(term, tuple):
        return bytes([104, len(term)]) + b"".join(map(inner, term))
    if isinstance(term, int) and not -2**31 <= term < 2**31:
        raw = abs(term).to_bytes((abs(term).bit_length() + 7) // 8, "little")
        return bytes([110, len(raw), term < 0]) + raw
    return ipc.encode_inner(term)


def frame(term):
    body = b"\x83" + inner(term)
    return struct.pack(">I", len(body)) + body


def nodes_of(count, size=8):
    return [(f"x{number:0{size}}".encode(), (10, 0, number >> 8 & 255, number & 255)) for number in range(count)]


DEEP = Raw(b"h\x01" * 5000 + b"j")
#: Terms that are no answer to anything.
NONSENSE = (7, -1, 2**63, 2**64, 0.5, [], [OK], (OK,), (), Atom("yes"), Atom(""), b"ok", Raw(b""), Raw(b"\xff"), DEEP, [DEEP],
            Raw(b"t\0\0\0\1a\1a\1"), Raw(b"P\0\0\0\7x\x9c"), Raw(b"m\xff\xff\xff\xff"), Raw(b"l\xff\xff\xff\xff"), Raw(b"i\xff\xff\xff\xff"),
            (Atom("error"),), (Atom("error"), b"26"), (Atom("error"), 2**40), (Atom("error"), -1), (Atom("error"), 0),
            (Atom("error"), 9999, b"\x1b[1m\xff"), (Atom("error"), 17, b"x" * 60000), (Atom("error"), 17, [300, -1]), b"x" * 900000)
#: Statuses that cannot be, or are as large as they may be and larger.
STATUSES = ((0, []), (5, []), (2**40, []), (1, nodes_of(3)), (2, []), (2, nodes_of(2)), (3, nodes_of(254)), (3, nodes_of(255)),
            (3, nodes_of(256)), (3, nodes_of(100000, 1)), (4, []), (4, nodes_of(255)), (3, [(b"n", (1, 2, 3))]), (3, [(b"n", (1, 2, 3, 400))]),
            (3, [(b"", (1, 2, 3, 4))]), (3, [(b"\x1b[1m\n\0", (1, 2, 3, 4))]), (3, [(b"x" * 128, (1, 2, 3, 4))]),
            (3, [(b"x" * 65536, (1, 2, 3, 4))]), (3, nodes_of(1) * 3), (3, [(b"n", b"not an address\xff")]), (3, [(b"n", tuple([1] * 8))]),
            (3, [(2**50, (1, 2, 3, 4))]), (3, [((8, 1), (1, 2, 3, 4))]), (3, b"list"), (3, 1.5), (3, [[], []]), (3, [DEEP]))
EVENT_DATA = (0, 1, 26, 31, 71, -1, 2**40, b"", [], (), DEEP, 0.5, (b"stranger", (10, 9, 9, 9)), (b"n1", (10, 0, 0, 1)), (b"", (1, 2, 3, 4)),
              (b"n1",), (b"x" * 70000, (1, 2, 3, 4)), (b"n1", (1, 2, 3, 4, 5)), ((b"n1", b"n2"), 7), Atom("undefined"))
#: What may come in place of a frame that is due, and whether the connection can go on after it.
BROKEN = {"half-header": b"\0\0", "half-frame": b"\0\0\0\x28\x83d", "huge": b"\xff\xff\xff\xff\x83", "large": struct.pack(">I", 1 << 20) + b"\x83",
          "empty": b"\0\0\0\0", "garbage": bytes(range(256)) * 8, "not-etf": b"\0\0\0\2\x82j", "zeros": bytes(100000)}


class Peer:
    """A connection that has come."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.kind, self.orders, self.held = reader, writer, None, 0, None
        self.broken = self.shifted = False

    def send(self, data):
        if not self.writer.is_closing():
            self.writer.write(data)

    def close(self):
        self.writer.close()


class Liar:
    """The server. `lies` is taken from the front: the next answer, handshake or subscription of that kind is told by it."""

    def __init__(self, path):
        self.path, self.server, self.peers, self.tasks = path, None, [], set()
        self.state, self.nodes = 1, []
        self.lies = {"order": [], "status": [], "hello": [], "subscribe": []}
        # "ok": by the number of the order that it was said to; None: it may have been taken for the answer to any.
        self.said = {"ok": collections.Counter(), "orders": 0, "statuses": set(), "results": 0}

    # -- connections

    async def listen(self):
        self.path.unlink(missing_ok=True)
        self.server = await asyncio.start_unix_server(self.serve, path=self.path)

    async def stop_listening(self):
        if self.server:
            self.server.close()
            self.server = None

    def of(self, kind):
        return [peer for peer in self.peers if peer.kind == kind]

    def close_all(self, kind=None):
        for peer in list(self.peers):
            if kind in (None, peer.kind):
                peer.close()

    def later(self, seconds, what, *args):
        async def wait():
            await asyncio.sleep(seconds)
            what(*args)
        self.spawn(wait())

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, reader, writer):
        peer = Peer(reader, writer)
        self.peers.append(peer)
        try:
            hello = await reader.readexactly(9)
            await self.welcome(peer, hello)
            while True:
                size = struct.unpack(">I", await reader.readexactly(4))[0]
                self.take(peer, await reader.readexactly(size))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.peers.remove(peer)
            writer.close()

    async def welcome(self, peer, hello):
        kind = {17: "ha", 11: "events"}.get(hello[0] & 0x3F)
        answer = bytes([0]) + hello[1:3] + hello[3:7] + bytes(2)
        lie = self.lies["hello"].pop(0) if self.lies["hello"] else "honest"
        if lie == "silent":
            await peer.reader.read()
        elif lie == "close":
            raise ConnectionError
        elif lie == "half":
            peer.send(answer[:4])
            await peer.reader.read()
        elif lie == "garbage":
            peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)
            await peer.reader.read()
        elif lie == "challenge":
            peer.send(bytes([11]) + bytes(32))
            await peer.reader.read()
        elif lie == "refuse":
            peer.send(bytes([1]) + answer[1:])
            raise ConnectionError
        elif lie == "other-version":
            peer.send(bytes([1]) + struct.pack(">H", 70) + answer[3:])
            raise ConnectionError
        elif lie == "bytewise":
            for byte in answer:
                peer.send(bytes([byte]))
                await asyncio.sleep(0.01)
        elif lie == "code":
            peer.send(bytes([77]) + answer[1:])
        elif lie == "with-more":
            peer.send(answer + frame(OK) + frame((64, (7, 0))))
        else:
            peer.send(answer)
        if kind == "ha":
            size = struct.unpack(">I", await peer.reader.readexactly(4))[0]
            await peer.reader.readexactly(size)
            self.close_all("ha")
        peer.kind = kind

    def take(self, peer, body):
        if peer.kind == "ha":
            self.order(peer, ipc.Decoder(body).term())
        elif peer.kind == "events" and body != b"\x83" + inner(Atom("ha_synced")):
            self.subscribe(peer)

    # -- the truth

    def status(self):
        self.said["statuses"].add(HA_NAMES[self.state])
        return (self.state, list(self.nodes))

    def carry_out(self, term):
        """What an order does. Returns the events and the answer (None: none)."""
        number, old = term[0], self.state
        if number == 1:
            self.state, self.nodes = 3, self.nodes if old == 3 else []
            return [(5, 0)] if old != 3 else [], OK
        if number == 2:
            self.state, self.nodes = 2, [(term[2][0], term[2][1])]
            return ([(6, 0)] if old != 1 else []) + [(4, 1)] + ([(7, 0)] if term[3] == 0 else []), OK if term[3] else None
        if number == 3:
            self.state, self.nodes = 1, []
            return [(6, 0)] if old != 1 else [], OK
        if number == 5:
            if old == 3:
                gone = [node for node in self.nodes if node[0] == term[1]]
                self.nodes = [node for node in self.nodes if node[0] != term[1]]
                return [(2, node) for node in gone], OK
            return [], (Atom("error"), 17)
        if number == 6 and old in (2, 4):
            self.state = 4
            return [], OK
        return [], (Atom("error"), 17)

    def event(self, event):
        if event[0] == 7 or event[0] == 4:
            self.said["results"] += 1
        for peer in self.of("events"):
            peer.send(frame((64, event)))

    # -- orders

    def order(self, peer, term):
        kind = "status" if term[0] == 4 else "order"
        self.said["orders"] += 1
        lie = self.lies[kind].pop(0) if self.lies[kind] else ("honest",)
        if lie[0] == "undone":  # it says so, and does not
            events, reply = [], OK if term[0] != 2 or term[3] else None
        elif lie[0] == "status-of":
            events, reply = [], STATUSES[lie[1]]
        elif kind == "status":
            events, reply = [], self.status()
        else:
            events, reply = self.carry_out(term)
        if lie[0] == "no-events":
            events = []
        if lie[0] == "nonsense":
            reply = NONSENSE[lie[1]]
        elif lie[0] == "other-type":
            reply = OK if kind == "status" else self.status()
        elif lie[0] == "refuse":
            reply = (Atom("error"), lie[1])
        if lie[0] == "events-late":
            for event in events:
                self.later(0.5, self.event, event)
            events = []
        for event in events:
            self.event(event)
        if reply is not None:
            self.reply(peer, lie, reply, term[0])
        if lie[0] == "result-twice":
            self.event((7, 0))
            self.event((7, 71))

    def count(self, reply, number=None):
        if reply == OK:
            self.said["ok"][number] += 1
        elif isinstance(reply, tuple) and len(reply) == 2 and isinstance(reply[0], int) and reply[0] in HA_NAMES:
            self.said["statuses"].add(HA_NAMES[reply[0]])

    def reply(self, peer, lie, reply, number):
        how = lie[0]
        # What is missing, late, or one too many puts all that follows in another's place.
        peer.shifted |= how in ("never", "late", "swap", "twice", "broken") or (number == 2 and how != "honest")
        if how == "never":
            return
        self.count(reply, None if peer.shifted else number)
        data = frame(reply)
        if how == "late":
            self.later(lie[1], peer.send, data)
        elif how == "twice":
            self.count(reply)
            peer.send(data + data)
        elif how == "swap" and peer.held is None:
            peer.held = data
            return
        elif how == "broken":
            peer.broken = True
            peer.send(BROKEN[lie[1]])
        elif how == "cut":
            peer.send(data[:-1])
            peer.close()
        elif how == "close":
            peer.close()
        elif how == "bytewise":
            async def drip():
                for byte in data[:200]:
                    peer.send(bytes([byte]))
                    await asyncio.sleep(0.002)
                peer.send(data[200:])
            self.spawn(drip())
        else:
            peer.send(data)
        if peer.held:
            peer.send(peer.held)
            peer.held = None

    def subscribe(self, peer):
        lie = self.lies["subscribe"].pop(0) if self.lies["subscribe"] else "honest"
        if lie == "close":
            peer.close()
        elif lie == "event-first":
            peer.send(frame((64, (6, 0))) + frame(OK))
        elif lie == "nonsense":
            peer.send(frame((Atom("error"), 21)))
        elif lie == "twice":
            peer.send(frame(OK) * 2)
        elif lie != "silent":
            peer.send(frame(OK))

    # -- of its own

    def out_of_the_blue(self, lie):
        what = lie[0]
        if what == "event":
            self.event((lie[1], EVENT_DATA[lie[2]]))
        elif what == "event-term":
            for peer in self.of("events"):
                peer.send(frame(NONSENSE[lie[1]]))
        elif what == "storm":
            for number in range(EVENTS_IN_A_STORM):
                self.event((lie[1], (f"s{number}".encode(), (10, 1, 1, 1)) if lie[1] in (2, 3) else number % 2))
        elif what == "reply":
            for peer in self.of("ha"):
                peer.shifted = True
                self.count(OK)
                peer.send(frame(OK if lie[1] else self.status()))
        elif what == "break":
            for peer in self.of(lie[1]):
                peer.broken = True
                peer.send(BROKEN[lie[2]])
        elif what == "close":
            self.close_all(lie[1])
        elif what == "state":  # and says nothing
            self.state, self.nodes = lie[1], nodes_of({1: 0, 2: 1}.get(lie[1], 3))
        elif what == "arrive":
            if self.state == 3:
                self.nodes = [*self.nodes[:200], (f"a{len(self.nodes)}".encode(), (10, 2, 0, 1))]
                self.event((3, self.nodes[-1]))
        elif what == "heartbeat":
            for peer in self.of("events"):
                peer.send((frame((1 << 18, 30000)) + frame((1 << 13,)) + frame((1 << 21, DEEP))) * 50)

    def be_honest(self):
        """From now on. Connections on which half a frame was said can only be closed."""
        for lies in self.lies.values():
            lies.clear()
        for peer in list(self.peers):
            if peer.broken or peer.kind is None:
                peer.close()
