# SPDX-License-Identifier: Apache-2.0
"""Owns what stands between the nodes where their links are to be slow, far, jerky or broken: a proxy in user space.

In a network namespace of ours nftables lead each connection to a node's HA port to us, whoever makes it; we make it anew, from
the address that it came from, so that neither end sees us. The kernel need not have netem for that. """

import asyncio
import socket
import struct
import subprocess

PORT = 4570
TABLE = "proxy"
MARK = 77             # of our own connections, which go where they want
ADDRESS = 200         # ours in the cluster's network
PIECE = 16384
PIECES_MAX = 64       # that are on their way, where the way is long; the rest waits at the sender
SO_ORIGINAL_DST = 80
ENDURED = {"rate": lambda value: value >= 32, "delay": lambda value: value <= 400, "gap": lambda value: value <= 800}


def endures(kind, value):
    """Whether a link that is so bad delays, and nobody may be lost by it."""
    return kind in ENDURED and ENDURED[kind](int(value))


def piece(kind, value):
    """How much is taken at a time. Of a narrow link what waits does so at its sender: we are no host that has taken it."""
    return min(PIECE, max(1024, value * 1000 // 10)) if kind == "rate" else PIECE


class Direction:
    """One way of a connection."""

    def __init__(self, connection, source, sink, pair):
        self.connection, self.source, self.sink, self.pair = connection, source, sink, pair
        self.queue, self.shut = asyncio.Queue(PIECES_MAX), False
        self.tasks = [asyncio.create_task(self.take()), asyncio.create_task(self.give())]

    async def take(self):
        loop = asyncio.get_running_loop()
        try:
            while True:
                kind, value = self.connection.proxy.shapes.get(self.pair, ("", 0))
                data = await loop.sock_recv(self.source, piece(kind, value))
                kind, value = self.connection.proxy.shapes.get(self.pair, ("", 0))
                if kind == "rate":
                    await asyncio.sleep(len(data) / 1000 / value)
                await self.queue.put((loop.time() + (value / 1000 if kind == "delay" else 0), data))
                if not data:
                    return
        except OSError:
            self.connection.end(reset=True)

    async def give(self):
        loop, proxy = asyncio.get_running_loop(), self.connection.proxy
        try:
            while True:
                due, data = await self.queue.get()
                await asyncio.sleep(max(0, due - loop.time()))
                while proxy.is_stopped(self.pair):
                    await asyncio.sleep(0.02)
                if not data:
                    self.shut_down()
                    self.connection.ended(self)
                    return
                if not self.shut:
                    await loop.sock_sendall(self.sink, data)
        except OSError:
            self.connection.end(reset=True)

    def shut_down(self):
        """Nothing more comes out of it, whatever goes in."""
        if not self.shut:
            self.shut = True
            self.sink.shutdown(socket.SHUT_WR)

    def break_off(self):
        """Now, whatever is under way, unless the other end has ended it already."""
        try:
            self.shut_down()
        except OSError:
            self.connection.end(reset=True)


class Connection:
    """A connection that goes through us, once both halves of it are there."""

    def __init__(self, proxy, ends, names):
        self.proxy, self.ends, self.names = proxy, ends, names
        near, far = ends
        self.open = [Direction(self, near, far, names), Direction(self, far, near, names[::-1])]
        self.directions = list(self.open)

    def ended(self, direction):
        self.open.remove(direction)
        if not self.open:
            self.end()

    def end(self, reset=False):
        if self not in self.proxy.connections:
            return
        self.proxy.connections.remove(self)
        tasks = [task for direction in self.directions for task in direction.tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        self.proxy.spawn(self.close(tasks, reset))

    async def close(self, tasks, reset):
        """Once nobody waits for a socket any more."""
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in self.ends:
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Proxy:
    """All connections between nodes. A shape is for one direction between two hosts, until it is taken away."""

    def __init__(self, network):
        self.network, self.shapes, self.connections, self.tasks = network, {}, [], set()
        self.listener = self.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((f"{network}.{ADDRESS}", PORT))
        self.listener.listen(128)
        rules = [f"table ip {TABLE} {{", "chain output {", "type nat hook output priority -100;",
                 f"ip saddr {network}.0/24 ip daddr {network}.0/24 ip daddr != {network}.{ADDRESS} tcp dport {PORT} meta mark != {MARK} "
                 f"dnat to {network}.{ADDRESS}:{PORT}", "}", "}"]
        subprocess.run(["nft", "-f", "-"], input="\n".join([*rules, ""]), text=True, check=True)
        self.spawn(self.accept())

    @staticmethod
    def socket():
        """What waits in the kernel is little, so that a narrow link is felt at both its ends."""
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return made

    def spawn(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def accept(self):
        loop = asyncio.get_running_loop()
        while True:
            near, (source, _) = await loop.sock_accept(self.listener)
            near.setblocking(False)
            self.spawn(self.join(near, source))

    async def join(self, near, source):
        far = self.socket()
        try:
            port, address = struct.unpack_from(">2xH4s", near.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
            target = socket.inet_ntoa(address)
            far.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
            far.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(far, (target, port))
        except BaseException as error:
            near.close()
            far.close()
            if not isinstance(error, OSError):
                raise
            return
        self.connections.append(Connection(self, (near, far), tuple("n" + end.rsplit(".", 1)[1] for end in (source, target))))

    def is_stopped(self, pair):
        kind, value = self.shapes.get(pair, ("", 0))
        return kind == "gap" and int(asyncio.get_running_loop().time() * 1000 / value) % 2 == 1

    def between(self, one, two):
        return [connection for connection in self.connections if set(connection.names) == {one, two}]

    def set(self, one, two, kind, value=0):
        """kind: "rate" in kilobytes a second, "delay" and "gap" in milliseconds, until it is healed; "half" and "reset", once."""
        for connection in self.between(one, two) if kind in ("half", "reset") else ():
            if kind == "half":
                next(way for way in connection.directions if way.pair == (one, two)).break_off()
            else:
                connection.end(reset=True)
        if kind not in ("half", "reset"):
            self.shapes[one, two] = self.shapes[two, one] = (kind, int(value))

    def heal(self, one=None, two=None):
        for pair in [pair for pair in self.shapes if one is None or set(pair) == {one, two}]:
            del self.shapes[pair]

    async def close(self):
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for connection in list(self.connections):
            connection.end()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.listener.close()
        subprocess.run(["nft", "delete", "table", "ip", TABLE], check=False)
