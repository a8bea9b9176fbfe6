#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The protocol between nodes, written from docs/node-protocol.md alone with the standard library's cryptography.

    node-protocol.py join HOST PORT OWN EXPECTED TOKEN COMMITS
        joins a master as a slave that has nothing, prints "KEY=VALUE" for each entry it has after so many further
        transactions, which it acknowledges, and the transaction id last
    node-protocol.py serve HOST PORT OWN TOKEN ENTRIES
        is a master with so many entries: takes one slave, sends a copy, one transaction during it and one after it, and
        prints "acknowledged" once the slave has
"""
import hashlib
import hmac
import os
import socket
import struct
import sys

HELLO, CHALLENGE, PROOF, REFUSE = 1, 2, 3, 4
JOIN, ACCEPT, COPY, TRANSACTION, MORE, END, READY, ADMIT, ACK, TICK, PATH = range(16, 27)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(secret, info):
    """RFC 5869 with an empty salt, one block."""
    prk = mac(bytes(32), secret)
    return mac(prk, info + b"\1")


def name(text):
    term = b"\x6d" + struct.pack(">I", len(text)) + text.encode()
    return bytes([len(term)]) + term


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(30)
        self.key_in = self.key_out = None
        self.seq_in = self.seq_out = 0

    def read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise SystemExit("closed")
            data += piece
        return data

    def read_plain(self):
        head = self.read(4)
        return head + self.read(struct.unpack(">I", head)[0])

    def read_sealed(self):
        head = self.read(4)
        length, = struct.unpack(">I", head)
        assert 41 <= length <= 41 + 131072, length
        frame = head + self.read(length)
        assert mac(self.key_in, frame[:-32]) == frame[-32:], "wrong MAC"
        assert struct.unpack(">Q", frame[4:12])[0] == self.seq_in, "wrong sequence"
        self.seq_in += 1
        return frame[12], frame[13:-32]

    def read_frame(self):
        """Passes over ticks."""
        while True:
            kind, body = self.read_sealed()
            if kind != TICK:
                return kind, body

    def send(self, kind, body=b""):
        frame = struct.pack(">IQB", 41 + len(body), self.seq_out, kind) + body
        self.sock.sendall(frame + mac(self.key_out, frame))
        self.seq_out += 1

    def keys(self, token, transcript, serving):
        secret = mac(token, b"confd-ha hop 1 secret\0" + transcript)
        of_serving = hkdf(secret, b"confd-ha hop 1 key of the serving side")
        of_joining = hkdf(secret, b"confd-ha hop 1 key of the joining side")
        self.key_out, self.key_in = (of_serving, of_joining) if serving else (of_joining, of_serving)


def plain(kind, body):
    return struct.pack(">IB", 1 + len(body), kind) + body


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


def join(host, port, own, expected, token, commits):
    own_address = host.rsplit(".", 1)[0] + ".99"
    c = Connection(socket.create_connection((host, port), source_address=(own_address, 0)))
    hello = plain(HELLO, b"CONFD-HA" + struct.pack(">HHI", 1, 1, 0) + os.urandom(32) + name(own) + name(expected))
    c.sock.sendall(hello)
    challenge = c.read_plain()
    if challenge[4] == REFUSE:
        print("refused", struct.unpack(">H", challenge[5:7])[0])
        return
    assert challenge[4] == CHALLENGE
    version, features = struct.unpack(">HI", challenge[5:11])
    assert (version, features) == (1, 0)
    if mac(token, b"confd-ha hop 1 serving side\0" + hello + challenge[:-32]) != challenge[-32:]:
        print("wrong token")
        return
    proof = plain(PROOF, mac(token, b"confd-ha hop 1 joining side\0" + hello + challenge))
    c.sock.sendall(proof)
    c.keys(token, hello + challenge + proof, serving=False)
    c.send(JOIN, bytes(32) + struct.pack(">Q", 0) + b"\0")

    kind, body = c.read_frame()
    if kind == REFUSE:
        print("refused", struct.unpack(">H", body[:2])[0])
        return
    assert kind == ACCEPT
    copy, _, entries = struct.unpack(">BQQ", body[:17])
    n = body[17]
    ident = body[18:18 + n].decode()
    path = body[18 + n:]
    assert path == b"\1" + name(expected), path
    data, stream = {}, b""
    while True:
        kind, body = c.read_frame()
        if kind == COPY:
            stream += body
        elif kind == TRANSACTION:
            if stream is not None:
                data, stream = records(stream), None
            ident, changes = read_transaction(c, body)
            change(data, changes)
        else:
            assert kind == END, kind
            break
    if stream is not None:
        data = records(stream)
    assert copy == 0 or len(data) == entries or commits
    c.send(READY)
    kind, body = c.read_frame()
    assert kind == ADMIT
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
    listener.settimeout(30)
    c = Connection(listener.accept()[0])
    hello = c.read_plain()
    assert hello[4] == HELLO and hello[5:13] == b"CONFD-HA"
    oldest, newest = struct.unpack(">HH", hello[13:17])
    assert oldest <= 1 <= newest
    head = struct.pack(">HI", 1, 0) + os.urandom(32) + name(own)
    part = struct.pack(">IB", 1 + len(head) + 32, CHALLENGE) + head
    challenge = part + mac(token, b"confd-ha hop 1 serving side\0" + hello + part)
    c.sock.sendall(challenge)
    proof = c.read_plain()
    assert proof == plain(PROOF, mac(token, b"confd-ha hop 1 joining side\0" + hello + challenge)), "wrong proof"
    c.keys(token, hello + challenge + proof, serving=True)
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
    one = encode_transaction("py-2", [("/py/00000000", None), ("/during", "1")])
    c.send(TRANSACTION, struct.pack(">I", len(one)) + one)
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
    assert kind == ACK and struct.unpack(">Q", body)[0] == 1
    print("acknowledged", flush=True)


if sys.argv[1] == "join":
    join(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], sys.argv[6].encode(), int(sys.argv[7]))
else:
    serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5].encode(), int(sys.argv[6]))
