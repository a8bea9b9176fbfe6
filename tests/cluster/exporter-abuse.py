#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What strangers do to the exporter. exporter-abuse.py ADDRESS PORT; TAP-like lines "ok NAME" or "not ok NAME: why"."""

import contextlib
import http.client
import socket
import sys
import time

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])


def connect():
    s = socket.create_connection((ADDRESS, PORT), timeout=10)
    s.settimeout(15)
    return s


def get(path="/metrics", method="GET", headers=None, body=None):
    c = http.client.HTTPConnection(ADDRESS, PORT, timeout=15)
    with contextlib.closing(c):
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        return r.status, r.read(), r.getheaders()


def check(name, condition, why=""):
    print(f"{'ok' if condition else 'not ok'} {name}{'' if condition else f': {why}'}", flush=True)


def is_closed(s, within):
    s.settimeout(within)
    try:
        while s.recv(4096):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def loris():
    silent = [connect() for _ in range(150)]
    half = []
    for _ in range(250):
        s = connect()
        with contextlib.suppress(OSError):
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-")
        half.append(s)
    slowest = 0
    for _ in range(20):
        started = time.monotonic()
        status, _, _ = get()
        slowest = max(slowest, time.monotonic() - started)
        check("a scrape is answered beside 400 slow connections", status == 200, status) if status != 200 else None
    check("400 slow connections delay no scrape", slowest < 2, f"{slowest:.2f} s")
    check("and are closed in time", is_closed(half[-1], 12), "still open after 12 s")
    for s in silent + half:
        s.close()


def drip():
    s = connect()
    started = time.monotonic()
    closed = False
    while time.monotonic() - started < 12 and not closed:
        try:
            s.sendall(b"G" if time.monotonic() - started < 0.1 else b"x")
            s.settimeout(0.3)
            closed = s.recv(1) == b""
        except socket.timeout:
            pass
        except OSError:
            closed = True
    check("who drips bytes is closed too", closed, "still open after 12 s")
    s.close()


def nonsense():
    for name, data in (("no HTTP", b"\x00\xff" * 2000 + b"\r\n\r\n"),
                       ("a request line without end", b"GET /" + b"a" * 100000),
                       ("headers without end", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000)):
        s = connect()
        with contextlib.suppress(OSError):
            s.sendall(data)
        check(f"{name} ends the connection", is_closed(s, 10), "still open after 10 s")
        s.close()
    check("a body is not wanted", get(method="POST", body=b"x" * 1000)[0] == 405)
    with contextlib.suppress(OSError):
        get(method="POST", body=b"x" * 10000000)  # refused while it is sent
    check("nor with GET, which is answered all the same or refused", get(body=b"x" * 1000)[0] in (200, 400, 413))
    check("an unknown path is not found", get("/nope")[0] == 404)
    check("a path with odd bytes is not found", get("/%00%ff../../etc/passwd")[0] in (400, 404))
    check("a path with the host before it is that path", get("http://localhost/live")[0] == 200)
    check("a host without a path is the root", get("HTTP://localhost")[0] == 404)
    status, body, _ = get("/metrics", method="HEAD")
    check("HEAD has no body", (status, body) == (200, b""), (status, body[:50]))


loris()
drip()
nonsense()
check("after all that a scrape is answered", get()[0] == 200)
