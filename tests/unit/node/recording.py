#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What somebody can read later who has recorded a connection between nodes and knows the token: TLS 1.3's key schedule
(RFC 8446, 7.1) without the one thing that he has not.

    recording.py RECORDING TOKEN KEYLOG NEEDLE
        RECORDING as protocol.py makes it. With the token alone the binder can be checked, which shows that the schedule is right so
        far, and nothing can be decrypted; with the secrets of the connection (KEYLOG, by openssl) NEEDLE is found in what was said
    recording.py control TOKEN
        records a connection of openssl's own that has no key exchange (psk_ke) and decrypts it, with the token alone
"""
import hashlib
import hmac
import socket
import struct
import subprocess
import sys
import threading
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

IDENTITY = "confd-ha-hop-2"


def extract(salt, key):
    return hmac.new(salt, key, hashlib.sha256).digest()


def expand(key, info, size):
    data, block = b"", b""
    while len(data) < size:
        block = hmac.new(key, block + info + bytes([len(data) // 32 + 1]), hashlib.sha256).digest()
        data += block
    return data[:size]


def expand_label(secret, label, context, size):
    label = b"tls13 " + label
    return expand(secret, struct.pack(">HB", size, len(label)) + label + bytes([len(context)]) + context, size)


def derive(secret, label, messages):
    return expand_label(secret, label, hashlib.sha256(messages).digest(), 32)


def records(stream):
    found = []
    while len(stream) >= 5:
        size, = struct.unpack(">H", stream[3:5])
        found.append((stream[:5], stream[5:5 + size]))
        stream = stream[5 + size:]
    return found


def decrypt(traffic_secret, sealed):
    """Of all records, or None if the first cannot be opened. Handshake records and data: what is within."""
    key = AESGCM(expand_label(traffic_secret, b"key", b"", 16))
    iv = int.from_bytes(expand_label(traffic_secret, b"iv", b"", 12), "big")
    plain = b""
    for number, (head, body) in enumerate(sealed):
        try:
            plain += key.decrypt((iv ^ number).to_bytes(12, "big"), body, head).rstrip(b"\0")[:-1]
        except InvalidTag:
            return plain or None
    return plain


def shares(hello):
    """32 bytes behind each key_share of X25519: group 29, length 32."""
    at = hello.find(b"\0\x1d\0\x20")
    return [hello[at + 4:at + 36]] if at >= 0 else []


def early_secret(psk, client_hello):
    """Checked against the binder, which ends the ClientHello."""
    secret = extract(bytes(32), psk)
    key = expand_label(derive(secret, b"ext binder", b""), b"finished", b"", 32)
    binder = hmac.new(key, hashlib.sha256(client_hello[:-35]).digest(), hashlib.sha256).digest()
    assert client_hello[-32:] == binder, "the binder is another"
    return secret


def handshake_traffic(early, exchanged, messages):
    return derive(extract(derive(early, b"derived", b""), exchanged), b"s hs traffic", messages)


def first_flights(joining, serving):
    """ClientHello and ServerHello as messages, and what the serving side has sealed."""
    of_serving = [r for r in records(serving) if r[0][0] != 20]
    assert of_serving[0][0][0] == 22 and records(joining)[0][0][0] == 22
    return records(joining)[0][1], of_serving[0][1], of_serving[1:]


def recorded(path, token, keylog, needle):
    stream = {"j": b"", "s": b""}
    with open(path) as f:
        for line in f:
            side, data = line.split()
            stream[side] += bytes.fromhex(data)
    hello, joining = stream["j"][:17], stream["j"][17:]
    welcome, serving = stream["s"][:39], stream["s"][39:]
    assert needle.encode() not in stream["j"] + stream["s"], "in plain"
    psk = expand(extract(bytes(32), token), b"confd-ha hop 2 psk" + hashlib.sha256(hello + welcome).digest(), 32)
    client_hello, server_hello, sealed = first_flights(joining, serving)
    early = early_secret(psk, client_hello)
    guesses = [bytes(32), psk, early] + shares(client_hello) + shares(server_hello)
    assert len(guesses) == 5
    for guess in guesses:
        assert decrypt(handshake_traffic(early, guess, client_hello + server_hello), sealed) is None, "decrypted"
    print("the token opens nothing")
    with open(keylog) as f:
        secrets = {words[0]: bytes.fromhex(words[2]) for words in map(str.split, f) if len(words) == 3}
    flight = decrypt(secrets["SERVER_HANDSHAKE_TRAFFIC_SECRET"], sealed)
    assert flight[0] == 8, flight  # EncryptedExtensions
    # How many records the handshake had shows in where the next keys fit.
    for n in range(1, 6):
        said = decrypt(secrets["SERVER_TRAFFIC_SECRET_0"], sealed[n:])
        if said:
            assert needle.encode() in said
            print("the connection's own secrets do")
            return
    raise SystemExit("the secrets do not fit")


def pump(source, sink, kept):
    try:
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
    except OSError:
        pass  # killed


def connect(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def control(token):
    psk = expand(extract(bytes(32), token), b"control", 32)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    common = ["-tls1_3", "-allow_no_dhe_kex", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-psk_identity", IDENTITY, "-psk",
              psk.hex(), "-quiet"]
    server = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-naccept", "1", "-nocert", "-groups",
                               "X25519", *common], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    to_server = connect(port)
    listener = socket.create_server(("127.0.0.1", 0))
    client = subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % listener.getsockname()[1], "-groups", "P-256",
                               *common], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    listener.settimeout(30)
    to_client = listener.accept()[0]
    joining, serving = bytearray(), bytearray()
    for args in ((to_client, to_server, joining), (to_server, to_client, serving)):
        threading.Thread(target=pump, args=args, daemon=True).start()
    client.stdin.write(b"x")
    client.stdin.flush()
    assert server.stdout.read(1) == b"x"
    for program in (client, server):
        program.kill()
        program.wait()
    client_hello, server_hello, sealed = first_flights(bytes(joining), bytes(serving))
    assert not shares(server_hello)
    early = early_secret(psk, client_hello)
    flight = decrypt(handshake_traffic(early, bytes(32), client_hello + server_hello), sealed)
    assert flight and flight[0] == 8, flight
    print("without a key exchange it does")


if sys.argv[1] == "control":
    control(sys.argv[2].encode())
else:
    recorded(sys.argv[1], sys.argv[2].encode(), sys.argv[3], sys.argv[4])
