#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The protocol between nodes, written from docs/node-protocol.md alone. TLS is done by others: `openssl s_client` and `s_server`,
or GnuTLS's `gnutls-cli`, which speak through a relay here, for the greeting goes ahead of it in plain.

    node-protocol.py join TLS HOST PORT OWN EXPECTED TOKEN COMMITS
        joins a master as a slave that has nothing, prints "KEY=VALUE" for each entry it has after so many further
        transactions, which it acknowledges, and the transaction id last
    node-protocol.py serve TLS HOST PORT OWN TOKEN ENTRIES
        is a master with so many entries: takes one slave, sends a copy, one transaction during it and one after it, and
        prints "acknowledged" once the slave has

TLS: openssl or gnutls. In RECORDING, if that is set, the bytes of both directions are kept, as lines of a letter (j or s for
the sending side) and hexadecimal digits.
"""
import hashlib
import hmac
import os
import socket
import struct
import subprocess
import sys
import threading
import time

HELLO, WELCOME, NAMES, REFUSE = 1, 2, 3, 4
JOIN, ACCEPT, COPY, TRANSACTION, MORE, END, READY, ADMIT, ACK, TICK, PATH, COPIED, IN_FORCE, ARRIVED = range(16, 30)
IDENTITY = "confd-ha-hop-2"
DEADLINE = 30


def hkdf(secret, info):
    """RFC 5869 with SHA-256 and an empty salt, one block."""
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\1", hashlib.sha256).digest()


def connection_key(token, hello, welcome):
    return hkdf(token, b"confd-ha hop 2 psk" + hashlib.sha256(hello + welcome).digest())


def name(text):
    term = b"\x6d" + struct.pack(">I", len(text)) + text.encode()
    return bytes([len(term)]) + term


def plain(kind, body):
    return struct.pack(">IB", 1 + len(body), kind) + body


def read_exactly(read, n):
    data = b""
    while len(data) < n:
        piece = read(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_plain(sock):
    head = read_exactly(sock.recv, 4)
    return head + read_exactly(sock.recv, struct.unpack(">I", head)[0])


class Relay:
    """Between the node and the program that does TLS. Sees what an eavesdropper sees."""

    def __init__(self, node, side):
        self.node = node
        self.side = side  # whose bytes the program sends
        self.other = "s" if side == "j" else "j"
        self.first = b""  # of what came from the node
        self.recording = open(os.environ["RECORDING"], "w") if "RECORDING" in os.environ else None

    def note(self, side, data):
        if self.recording:
            print(side, data.hex(), file=self.recording, flush=True)

    def start(self, program):
        for args in ((program, self.node, self.side), (self.node, program, self.other)):
            threading.Thread(target=self.pump, args=args, daemon=True).start()

    def pump(self, source, sink, side):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if side == self.other and len(self.first) < 7:
                    self.first += data
                self.note(side, data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (sink, source):
            try:
                end.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def alert(self):
        """The first record of the node, if it is an alert: its number."""
        return self.first[6] if len(self.first) >= 7 and self.first[0] == 21 else None


def client(tls, relay, key):
    """Starts the program that does the joining side of TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(DEADLINE)
    port = str(listener.getsockname()[1])
    if tls == "openssl":
        command = ["openssl", "s_client", "-quiet", "-connect", "127.0.0.1:" + port, "-tls1_3", "-ciphersuites",
                   "TLS_AES_128_GCM_SHA256", "-groups", "X25519", "-psk_identity", IDENTITY, "-psk", key.hex()]
        if "KEYLOG" in os.environ:
            command += ["-keylogfile", os.environ["KEYLOG"]]
    else:
        command = ["gnutls-cli", "--logfile=/dev/null", "--priority",
                   "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:+GROUP-X25519:-KX-ALL:+ECDHE-PSK:+DHE-PSK",
                   "--pskusername", IDENTITY, "--pskkey", key.hex(), "-p", port, "127.0.0.1"]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
    relay.start(listener.accept()[0])
    return program


def server(relay, key):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["openssl", "s_server", "-quiet", "-accept", "127.0.0.1:%d" % port, "-naccept", "1", "-nocert", "-tls1_3",
               "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-psk_identity", IDENTITY, "-psk", key.hex()]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            relay.start(socket.create_connection(("127.0.0.1", port)))
            return program
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Connection:
    """Frames within TLS."""

    def __init__(self, program):
        self.program = program

    def read_frame(self):
        """Passes over ticks."""
        while True:
            length, = struct.unpack(">I", read_exactly(self.program.stdout.read, 4))
            assert 1 <= length <= 1 + 131072, length
            frame = read_exactly(self.program.stdout.read, length)
            if frame[0] != TICK:
                return frame[0], frame[1:]

    def send(self, kind, body=b""):
        try:
            self.program.stdin.write(plain(kind, body))
        except BrokenPipeError:
            pass  # it has ended; reading tells why

    def close(self):
        self.program.stdin.close()
        self.program.kill()
        self.program.wait()


def encode_transaction(ident, changes):
    data = bytes([len(ident)]) + ident.encode() + struct.pack(">I", len(changes))
    for key, value in changes:
        data += struct.pack(">BH", 1 if value is not None else 2, len(key)) + key.encode()
        if value is not None:
            data += struct.pack(">I", len(value)) + value.encode()
    return data


def decode_transaction(data):
    n = data[0]
    ident = data[1:1 + n].decode()
    count, = struct.unpack(">I", data[1 + n:5 + n])
    pos, changes = 5 + n, []
    for _ in range(count):
        kind, size = struct.unpack(">BH", data[pos:pos + 3])
        key = data[pos + 3:pos + 3 + size].decode()
        pos += 3 + size
        value = None
        if kind == 1:
            size, = struct.unpack(">I", data[pos:pos + 4])
            value = data[pos + 4:pos + 4 + size].decode()
            pos += 4 + size
        else:
            assert kind == 2
        changes.append((key, value))
    assert pos == len(data)
    return ident, changes


def read_transaction(c, body):
    size, = struct.unpack(">I", body[:4])
    data = body[4:]
    while len(data) < size:
        kind, piece = c.read_frame()
        assert kind == MORE
        data += piece
    assert len(data) == size
    return decode_transaction(data)


def join(tls, host, port, own, expected, token, commits):
    own_address = host.rsplit(".", 1)[0] + ".99"
    sock = socket.create_connection((host, port), source_address=(own_address, 0))
    sock.settimeout(DEADLINE)
    relay = Relay(sock, "j")
    hello = plain(HELLO, b"CONFD-HA" + struct.pack(">HH", 2, 2))
    sock.sendall(hello)
    welcome = read_plain(sock)
    relay.note("j", hello)
    relay.note("s", welcome)
    if welcome[4] == REFUSE:
        print("refused", struct.unpack(">H", welcome[5:7])[0])
        return
    assert welcome[4] == WELCOME and len(welcome) == 39
    assert welcome[5:7] == b"\0\2"
    c = Connection(client(tls, relay, connection_key(token, hello, welcome)))
    c.send(NAMES, name(own) + name(expected))
    try:
        kind, body = c.read_frame()
    except EOFError:
        assert relay.alert() in (47, 51), relay.first  # illegal_parameter, decrypt_error
        print("wrong token")
        return
    assert kind == NAMES, kind
    c.send(JOIN, bytes(32) + struct.pack(">Q", 0) + b"\0")
    follow(c, body, expected, commits)
    c.close()


def follow(c, names, expected, commits):
    kind, body = c.read_frame()
    if kind == REFUSE:
        print("refused", struct.unpack(">H", body[:2])[0])
        return
    assert names == name(expected), names
    assert kind == ACCEPT
    copy, _, entries = struct.unpack(">BQQ", body[:17])
    n = body[17]
    ident = body[18:18 + n].decode()
    path = body[18 + n:]
    assert path == b"\1" + name(expected), path
    data, stream = {}, b""
    if copy and entries == 0:
        c.send(COPIED)
    while True:
        kind, body = c.read_frame()
        if kind == COPY:
            stream += body
            if count(stream) == entries:
                c.send(COPIED)
        elif kind == TRANSACTION:
            if stream is not None:
                data, stream = records(stream), None
            ident, changes = read_transaction(c, body)
            change(data, changes)
            c.send(ACK, struct.pack(">Q", 1))
        else:
            assert kind == END, kind
            break
    if stream is not None:
        data = records(stream)
    assert copy == 0 or len(data) == entries or commits
    c.send(READY)
    kind, body = c.read_frame()
    assert kind == ADMIT
    c.send(IN_FORCE)
    kind, body = c.read_frame()
    assert kind == ARRIVED
    print("admitted", flush=True)
    for _ in range(commits):
        kind, body = c.read_frame()
        assert kind == TRANSACTION
        ident, changes = read_transaction(c, body)
        change(data, changes)
        c.send(ACK, struct.pack(">Q", 1))
    for key in sorted(data):
        print(key + "=" + data[key])
    print("id " + ident)


def count(stream):
    """How many whole entries there are; -1 if there is the beginning of one more."""
    n = pos = 0
    while pos + 6 <= len(stream):
        k, v = struct.unpack(">HI", stream[pos:pos + 6])
        pos += 6 + k + v
        n += 1
    return n if pos == len(stream) else -1


def records(stream):
    data, pos, last = {}, 0, b""
    while pos < len(stream):
        k, v = struct.unpack(">HI", stream[pos:pos + 6])
        key = stream[pos + 6:pos + 6 + k]
        assert key > last, "keys out of order"
        last = key
        data[key.decode()] = stream[pos + 6 + k:pos + 6 + k + v].decode()
        pos += 6 + k + v
    assert pos == len(stream)
    return data


def change(data, changes):
    for key, value in changes:
        if value is None:
            data.pop(key, None)
        else:
            data[key] = value


def serve(host, port, own, token, entries):
    listener = socket.create_server((host, port))
    print("listening", flush=True)
    listener.settimeout(DEADLINE)
    sock = listener.accept()[0]
    sock.settimeout(DEADLINE)
    hello = read_plain(sock)
    assert hello[4] == HELLO and hello[5:13] == b"CONFD-HA"
    oldest, newest = struct.unpack(">HH", hello[13:17])
    assert oldest <= 2 <= newest
    welcome = plain(WELCOME, struct.pack(">H", 2) + os.urandom(32))
    sock.sendall(welcome)
    relay = Relay(sock, "s")
    relay.note("j", hello)
    relay.note("s", welcome)
    c = Connection(server(relay, connection_key(token, hello, welcome)))
    c.send(NAMES, name(own))
    kind, body = c.read_frame()
    assert kind == NAMES and body.endswith(name(own)), body
    kind, body = c.read_frame()
    assert kind == JOIN and body[:32] == bytes(32)

    stream = b""
    for i in range(entries):
        key, value = b"/py/%08d" % i, b"value %d" % i
        stream += struct.pack(">HI", len(key), len(value)) + key + value
    c.send(ACCEPT, struct.pack(">BQQ", 1, 0, entries) + b"\4py-1" + b"\1" + name(own))
    for i in range(0, len(stream), 1000):
        c.send(COPY, stream[i:i + 1000])
        if i == 0:
            c.send(TICK, b"\0")
    kind, body = c.read_frame()
    assert kind == COPIED
    one = encode_transaction("py-2", [("/py/00000000", None), ("/during", "1")])
    c.send(TRANSACTION, struct.pack(">I", len(one)) + one)
    kind, body = c.read_frame()
    assert kind == ACK and struct.unpack(">Q", body)[0] == 1
    c.send(END)
    kind, body = c.read_frame()
    assert kind == READY
    c.send(ADMIT)
    two = encode_transaction("py-3", [("/after", "x" * 1000)])
    c.send(TRANSACTION, struct.pack(">I", len(two)) + two[:100])
    c.send(TICK, b"\0")
    c.send(MORE, two[100:500])
    c.send(MORE, two[500:])
    kind, body = c.read_frame()
    assert kind == IN_FORCE
    c.send(ARRIVED)
    kind, body = c.read_frame()
    assert kind == ACK and struct.unpack(">Q", body)[0] == 1
    print("acknowledged", flush=True)
    c.close()


if sys.argv[1] == "join":
    join(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6], sys.argv[7].encode(), int(sys.argv[8]))
else:
    serve(sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6].encode(), int(sys.argv[7]))
