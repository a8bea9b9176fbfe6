# SPDX-License-Identifier: Apache-2.0
"""Owns the client of ConfD's IPC port: Erlang's terms, the controller's orders, the subscription to events."""

import asyncio
import struct

HA, EVENTS = 17, 11
HA_INFO, HA_INFO_SYNC = 1 << 6, 1 << 20
BE_MASTER, BE_SLAVE, BE_NONE, STATUS, SLAVE_DEAD, BE_RELAY = range(1, 7)
EVENT_NAMES = {1: "NOMASTER", 2: "SLAVE_DIED", 3: "SLAVE_ARRIVED", 4: "SLAVE_INITIALIZED", 5: "IS_MASTER", 6: "IS_NONE",
               7: "BESLAVE_RESULT"}


class Atom(str):
    """An atom, to tell it from a string."""


def encode(term):
    return b"\x83" + encode_inner(term)


def encode_inner(term):
    if isinstance(term, Atom):
        return b"d" + struct.pack(">H", len(term)) + term.encode()
    if isinstance(term, int):
        return bytes([97, term]) if 0 <= term < 256 else b"b" + struct.pack(">i", term)
    if isinstance(term, bytes):
        return b"m" + struct.pack(">I", len(term)) + term
    if isinstance(term, tuple):
        return bytes([104, len(term)]) + b"".join(map(encode_inner, term))
    raise TypeError(term)


class Decoder:
    """A term out of bytes; what the node sends, no more."""

    def __init__(self, data):
        self.data, self.at = data, 1

    def bytes(self, size):
        self.at += size
        if self.at > len(self.data):
            raise ValueError("a term that is cut off")
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.bytes(size), "big")

    def term(self):
        tag = self.number(1)
        if tag == 97:
            return self.number(1)
        if tag == 98:
            return int.from_bytes(self.bytes(4), "big", signed=True)
        if tag in (100, 118):
            return Atom(self.bytes(self.number(2)).decode())
        if tag in (115, 119):
            return Atom(self.bytes(self.number(1)).decode())
        if tag == 104:
            return tuple(self.term() for _ in range(self.number(1)))
        if tag == 106:
            return []
        if tag == 107:
            return list(self.bytes(self.number(2)))
        if tag == 108:
            terms = [self.term() for _ in range(self.number(4))]
            self.term()
            return terms
        if tag == 109:
            return self.bytes(self.number(4))
        raise ValueError(f"tag {tag}")


class Connection:
    """A connection that has shaken hands."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address, kind):
        reader, writer = await asyncio.open_connection(address, 4565)
        try:
            writer.write(bytes([kind]) + struct.pack(">HIBB", 82, 0x08020500, 0, 0))
            if (await reader.readexactly(9))[0] not in (0, 2):
                raise ConnectionError("refused")
        except BaseException:
            writer.close()
            raise
        return cls(reader, writer)

    def send(self, body):
        self.writer.write(struct.pack(">I", len(body)) + body)

    async def receive(self):
        size = struct.unpack(">I", await self.reader.readexactly(4))[0]
        data = await self.reader.readexactly(size)
        decoder = Decoder(data)
        term = decoder.term()
        if data[0] != 131 or decoder.at != size:
            raise ValueError(f"no frame with one term: {data[:40].hex()}")
        return term

    def close(self):
        self.writer.close()


class Subscription(Connection):
    """A connection that is told of events; perhaps one that is waited for until it has acknowledged each."""

    @classmethod
    async def begin(cls, address, wait_for_us=False):
        subscription = await cls.open(address, EVENTS)
        try:
            subscription.send(encode((HA_INFO | (HA_INFO_SYNC if wait_for_us else 0), 0, 0, Atom("undefined"), 0)))
            await subscription.receive()
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def event(self):
        """The next one: (name, data)."""
        event = await self.receive()
        if not isinstance(event, tuple) or event[0] != HA_INFO:
            raise ValueError(f"no event of HA: {event}")
        kind, data = event[1]
        if kind in (2, 3):
            data = data[0].decode()
        return EVENT_NAMES[kind], data if isinstance(data, (int, str)) else None

    def acknowledge(self):
        self.send(encode(Atom("ha_synced")))


async def events(address, tell):
    """Subscribes, and tells each event as (name, data) until the connection ends."""
    subscription = await Subscription.begin(address)
    try:
        tell("SUBSCRIBED", None)
        while True:
            tell(*await subscription.event())
    finally:
        subscription.close()


class Controller:
    """An HA controller that takes the place of whoever was it."""

    def __init__(self, connection):
        self.connection = connection

    @classmethod
    async def open(cls, address, token):
        connection = await Connection.open(address, HA)
        connection.send(token)
        return cls(connection)

    async def say(self, *term):
        """An order whose answer nobody waits for."""
        self.connection.send(encode(term))
        await self.connection.writer.drain()

    async def order(self, *term):
        self.connection.send(encode(term))
        return await self.connection.receive()

    def close(self):
        self.connection.close()
