# SPDX-License-Identifier: Apache-2.0
"""Owns a client of D-Bus for asyncio: what goes over the wire, calls and their replies, signals."""

import asyncio
import os
import socket
import struct

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS = range(1, 10)
FIXED = {"y": ("B", 1), "b": ("I", 4), "n": ("h", 2), "q": ("H", 2), "i": ("i", 4), "u": ("I", 4), "x": ("q", 8), "t": ("Q", 8),
         "d": ("d", 8), "h": ("I", 4)}
ALIGN = {"s": 4, "o": 4, "g": 1, "a": 4, "v": 1, "(": 8, "{": 8}


class Failed(Exception):
    """A call that was answered with an error, or never will be (GONE)."""

    def __init__(self, name, text=""):
        super().__init__(f"{name}: {text}")
        self.name = name


GONE = "chaos.Gone"  # the connection ended before the answer came


def split(signature):
    """The complete types of a signature, one by one."""
    at, types = 0, []
    while at < len(signature):
        start = at
        while signature[at] == "a":
            at += 1
        if signature[at] in "({":
            depth = 0
            while True:
                depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(signature[at], 0)
                at += 1
                if depth == 0:
                    break
        else:
            at += 1
        types.append(signature[start:at])
    return types


def align_of(type_):
    return FIXED[type_][1] if type_ in FIXED else ALIGN[type_[0]]


def put(out, type_, value):
    """Appends a value to a bytearray that began at an offset divisible by 8."""
    out.extend(bytes(-len(out) % align_of(type_)))
    if type_ in FIXED:
        out.extend(struct.pack("<" + FIXED[type_][0], value))
    elif type_ in "so":
        raw = value.encode()
        out.extend(struct.pack("<I", len(raw)) + raw + b"\0")
    elif type_ == "g":
        raw = value.encode()
        out.extend(bytes([len(raw)]) + raw + b"\0")
    elif type_ == "v":
        put(out, "g", value[0])
        put(out, *value)
    elif type_[0] == "a":
        at = len(out)
        out.extend(bytes(4))
        out.extend(bytes(-len(out) % align_of(type_[1:])))
        start = len(out)
        for element in value.items() if type_[1] == "{" else value:
            put(out, type_[1:], element)
        struct.pack_into("<I", out, at, len(out) - start)
    else:
        for inner, element in zip(split(type_[1:-1]), value):
            put(out, inner, element)


class Reader:
    """Values out of the bytes of a message, little-endian."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def get(self, type_):
        self.at += -self.at % align_of(type_)
        if type_ in FIXED:
            code, size = FIXED[type_]
            value = struct.unpack_from("<" + code, self.data, self.at)[0]
            self.at += size
            return bool(value) if type_ == "b" else value
        if type_ in "so":
            return self.text(self.get("u"))
        if type_ == "g":
            return self.text(self.get("y"))
        if type_ == "v":
            return self.get(self.get("g"))
        if type_[0] == "a":
            return self.array(type_[1:])
        return tuple(self.get(inner) for inner in split(type_[1:-1]))

    def text(self, size):
        value = bytes(self.data[self.at:self.at + size]).decode()
        self.at += size + 1
        return value

    def array(self, type_):
        size = self.get("u")
        self.at += -self.at % align_of(type_)
        end, values = self.at + size, []
        while self.at < end:
            values.append(self.get(type_))
        return dict(values) if type_[0] == "{" else values


def encode(kind, serial, fields, signature="", args=()):
    body = bytearray()
    for type_, value in zip(split(signature), args):
        put(body, type_, value)
    if signature:
        fields = {**fields, SIGNATURE: ("g", signature)}
    head = bytearray(struct.pack("<BBBBII", ord("l"), kind, 0, 1, len(body), serial))
    put(head, "a(yv)", list(fields.items()))
    head.extend(bytes(-len(head) % 8))
    return bytes(head) + bytes(body)


class Door(socket.socket):
    """A connection of that user, which keeps the descriptors that come with what is read."""

    def __init__(self, path, uid):
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.descriptors, ours = [], os.geteuid()
        self.setblocking(False)
        way = os.open(path, os.O_PATH | os.O_CLOEXEC)  # through directories of ours
        try:
            if uid != ours:
                os.seteuid(uid)
            self.connect(f"/proc/self/fd/{way}")
        except BaseException:
            self.close()
            raise
        finally:
            if uid != ours:
                os.seteuid(ours)
            os.close(way)

    def recv(self, size, flags=0):
        data, more, _, _ = self.recvmsg(size, socket.CMSG_SPACE(64), flags | socket.MSG_CMSG_CLOEXEC)
        for _, kind, body in more:
            if kind == socket.SCM_RIGHTS:
                self.descriptors += struct.unpack(f"{len(body) // 4}i", body)
        return data


class Bus:
    """A connection to a bus. Everything about it belongs to one event loop."""

    def __init__(self, reader, writer, door=None):
        self.reader, self.writer, self.door = reader, writer, door
        self.serial, self.waiting, self.on_signal, self.on_call, self.gone = 0, {}, None, None, False
        self.task = asyncio.create_task(self.receive())

    @classmethod
    async def connect(cls, path, uid=None):
        """uid: as that user, and descriptors may come."""
        door = None if uid is None else Door(path, uid)
        reader, writer = await (asyncio.open_unix_connection(sock=door, limit=1 << 24) if door else asyncio.open_unix_connection(path, limit=1 << 24))
        try:
            writer.write(b"\0AUTH EXTERNAL " + str(os.getuid() if uid is None else uid).encode().hex().encode() + b"\r\n")
            if not (await reader.readline()).startswith(b"OK"):
                raise ConnectionError("the bus does not let us in")
            if door:
                writer.write(b"NEGOTIATE_UNIX_FD\r\n")
                if not (await reader.readline()).startswith(b"AGREE_UNIX_FD"):
                    raise ConnectionError("the bus takes no descriptors")
            writer.write(b"BEGIN\r\n")
            bus = cls(reader, writer, door)
            await bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
        except Failed as error:
            raise ConnectionError(str(error)) from error
        except BaseException:
            writer.close()
            raise
        return bus

    async def call(self, destination, path, interface, member, signature="", args=()):
        """What the method returns, as a list. Waits for as long as it takes: whoever has less patience says so."""
        if self.gone:
            raise Failed(GONE)
        self.serial += 1
        serial, answer = self.serial, asyncio.get_running_loop().create_future()
        self.waiting[serial] = answer
        self.writer.write(encode(CALL, serial, {PATH: ("o", path), DESTINATION: ("s", destination), INTERFACE: ("s", interface),
                                                MEMBER: ("s", member)}, signature, args))
        try:
            return await answer
        finally:
            self.waiting.pop(serial, None)

    async def match(self, rule):
        await self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", [rule])

    async def receive(self):
        end = Failed(GONE)
        try:
            while True:
                head = await self.reader.readexactly(16)
                size, fields_size = struct.unpack_from("<I", head, 4)[0], struct.unpack_from("<I", head, 12)[0]
                rest = await self.reader.readexactly(fields_size + -fields_size % 8 + size)
                self.take(head[1], head + rest, 16 + fields_size + -fields_size % 8)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except Exception as error:  # what nobody understands is no end of a connection, and told to all who wait
            end = error
            raise
        finally:
            self.gone = True
            self.writer.close()
            for answer in self.waiting.values():
                if not answer.done():
                    answer.set_exception(end)

    def take(self, kind, data, body_at):
        fields = dict(Reader(data, 12).get("a(yv)"))
        body = Reader(memoryview(data)[body_at:])
        args = [body.get(type_) for type_ in split(fields.get(SIGNATURE, ""))]
        if kind == SIGNAL:
            if self.on_signal:
                self.on_signal(fields.get(INTERFACE), fields.get(MEMBER), args)
            return
        if kind == CALL:
            if self.on_call:
                self.on_call(fields.get(MEMBER), fields.get(SENDER), struct.unpack_from("<I", data, 8)[0], args)
            return
        answer = self.waiting.get(fields.get(REPLY_SERIAL))
        if answer is None or answer.done():
            return
        if kind == ERROR:
            answer.set_exception(Failed(fields.get(ERROR_NAME), args[0] if args and isinstance(args[0], str) else ""))
        else:
            answer.set_result(args)

    def reply(self, sender, serial, signature, args):
        self.serial += 1
        self.writer.write(encode(RETURN, self.serial, {REPLY_SERIAL: ("u", serial), DESTINATION: ("s", sender)}, signature, args))

    def take_descriptor(self):
        """The first that came and that nobody has taken."""
        return self.door.descriptors.pop(0)

    def close(self):
        self.task.cancel()
        self.writer.close()
