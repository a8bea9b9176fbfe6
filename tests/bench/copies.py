# SPDX-License-Identifier: Apache-2.0
"""Initial copies to a slave, and the node's memory."""

import os
import random
import shutil
import socket
import threading
import time

import lab
import others
from commits import load
from measure import Row

SHOWN = ["copy-redis", "copy-disk", "copy-load-latency", "memory-copy"]
MIB = 1 << 20
ENTRY = 1024
REDIS = ("--enable-debug-command", "local", "--client-output-buffer-limit", "replica 0 0 0")


def filled(place, name, mebibytes):
    """A data directory with so much in entries of 1 KiB."""
    directory = place.new_directory(f"{name}-data")
    place.run([place.program("fill-store"), directory, str(mebibytes * MIB // ENTRY), str(ENTRY)])
    return directory


def redis_with(place, mebibytes, compressible=False):
    """A Redis with the same; the second one follows nobody yet."""
    redis = others.Redis(place, replicas=0, extra=REDIS)
    count = mebibytes * MIB // ENTRY
    if compressible:
        redis.command(0, "DEBUG", "POPULATE", count, "fill", ENTRY, timeout=600)
    else:
        letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
        stock = random.Random(1).choices(letters, k=4 * MIB)
        stock = bytes(stock)
        with socket.create_connection(("127.0.0.1", redis.ports[0])) as s:
            reader = threading.Thread(target=drain, args=(s, count * len(b"+OK\r\n")))
            reader.start()
            for i in range(0, count, 256):
                s.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\n/fill/%010d\r\n$%d\r\n%s\r\n" % (
                    k, ENTRY, stock[at:at + ENTRY]) for k, at in ((k, k * 1021 % (4 * MIB - ENTRY)) for k in range(i, min(i + 256, count)))))
            reader.join()
    redis.ports.append(lab.free_port())
    return redis, count


def drain(s, size):
    while size > 0:
        size -= len(s.recv(65536)) or size


def redis_copy(redis, count):
    """A replica that starts with nothing, from REPLICAOF until its append-only file is whole: the seconds."""
    directory = f"{redis.place.directory}/redis1"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    redis.processes[1] = redis.place.start("redis1-server", [
        "redis-server", "--port", str(redis.ports[1]), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes",
        "--appendfsync", "always", "--save", "", *redis.extra])
    lab.wait_until(lambda: redis.processes[1].check() and redis.answers(1), "the replica serving")
    begun = time.monotonic()
    redis.command(1, "REPLICAOF", "127.0.0.1", redis.ports[0])
    lab.wait_until(lambda: redis.follows(1) and redis.command(1, "DBSIZE") == f":{count}", "the replica's file is whole", 600)
    return time.monotonic() - begun


def tcp(size):
    """Through a connection on the loopback, to another process that throws it away: the seconds."""
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        s, _ = listener.accept()
        piece = bytearray(MIB)
        while s.recv_into(piece):
            pass
        os._exit(0)
    with socket.create_connection(listener.getsockname()) as s:
        listener.close()
        piece = bytes(MIB)
        begun = time.monotonic()
        for _ in range(size // MIB):
            s.sendall(piece)
        s.shutdown(socket.SHUT_WR)
        s.recv(1)
        taken = time.monotonic() - begun
    os.waitpid(child, 0)
    return taken


def disk(place, size):
    """Into a new file, one sync at the end: the seconds."""
    piece = os.urandom(MIB)
    path = f"{place.directory}/sequential"
    begun = time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for _ in range(size // MIB):
        os.write(fd, piece)
    os.fdatasync(fd)
    taken = time.monotonic() - begun
    os.close(fd)
    os.unlink(path)
    return taken


def copy(place, mebibytes=256, rounds=4):
    master = place.node("n0", data=filled(place, "n0", mebibytes)).wait()
    slave = place.node("n1").wait()
    master.be_master()
    redis, count = redis_with(place, mebibytes)
    size = mebibytes * MIB
    rates = {"ours": [], "redis": [], "tcp": [], "disk": []}
    for _ in range(rounds):
        rates["ours"].append(mebibytes / (slave.be_slave(master) / 1e6))
        rates["disk"].append(mebibytes / disk(place, size))
        rates["redis"].append(mebibytes / redis_copy(redis, count))
        rates["tcp"].append(mebibytes / tcp(size))
        redis.end(1)
        slave.forget()
    words = {"redis": ("Redis, full resynchronization until its AOF is whole", 6.0), "disk": ("a sequential write with a sync", 0.8),
             "tcp": ("the same through TCP alone", None)}
    return [Row("copy", f"copy-{name}", f"initial copy of {mebibytes} MiB in 1 KiB entries, until durable", against, "rate", "MiB/s",
                list(zip(rates["ours"], rates[name])), reach) for name, (against, reach) in words.items()]


class InBackground(threading.Thread):
    def __init__(self, function):
        super().__init__()
        self.function, self.result, self.error = function, None, None
        self.start()

    def run(self):
        try:
            self.result = self.function()
        except Exception as error:  # told by get()
            self.error = error

    def get(self):
        self.join()
        if self.error:
            raise self.error
        return self.result


def copy_under_load(place, mebibytes=256, rounds=5):
    bus = place.bus()
    master = place.node("n0", bus, data=filled(place, "n0", mebibytes)).wait()
    slave = place.node("n1").wait()
    master.be_master()
    load(place, bus, 1, 0.5)
    latencies, worst, times = [], [], []
    for _ in range(rounds):
        rate = load(place, bus, 1, 1)[0]
        alone = slave.be_slave(master) / 1e6
        slave.forget()
        calm = load(place, bus, 1, 1, 100, rate / 2)
        copying = InBackground(lambda: slave.be_slave(master) / 1e6)
        time.sleep(0.05)  # the order's own start; what is measured is what comes then
        busy = load(place, bus, 1, alone * 0.8, 100, rate / 2)
        times.append((copying.get(), alone))
        slave.forget()
        latencies.append((busy[1] / 1e3, calm[1] / 1e3))
        worst.append((busy[3] / 1e3, calm[3] / 1e3))
    return [
        Row("copy-load", "copy-load-latency", f"commits at half the rate during a copy of {mebibytes} MiB, median latency",
            "the same without the copy", "cost", "ms", latencies, 2.0),
        Row("copy-load", "copy-load-worst", "the worst latency of those", "the same without the copy", "cost", "ms", worst),
        Row("copy-load", "copy-load-time", "that copy, until it has ended", "the same without commits", "cost", "s", times),
    ]


# ---- memory ----


def own_memory(process):
    """KiB that are nobody else's and that the kernel cannot take back: pages of files do not count."""
    with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


class Peak(threading.Thread):
    """The most that each of the processes has had."""

    def __init__(self, *processes):
        super().__init__()
        self.processes, self.most, self.over = processes, [0] * len(processes), threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.01):
            self.look()

    def look(self):
        for i, process in enumerate(self.processes):
            try:
                self.most[i] = max(self.most[i], own_memory(process))
            except (OSError, StopIteration):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.look()


def peak_of_copy(place, name, mebibytes):
    master = place.node(f"{name}-master", data=filled(place, f"{name}-master", mebibytes)).wait()
    slave = place.node(f"{name}-slave").wait()
    master.be_master()
    with Peak(master.process, slave.process) as peak:
        slave.be_slave(master)
    for node in (slave, master):
        node.end()
        shutil.rmtree(node.data)
    return [kib / 1024 for kib in peak.most]


def peak_of_redis(place, mebibytes):
    redis, count = redis_with(place, mebibytes, compressible=True)
    directory = f"{place.directory}/redis1"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    replica = redis.processes[1] = redis.place.start("redis1-server", [
        "redis-server", "--port", str(redis.ports[1]), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes",
        "--appendfsync", "always", "--save", "", *redis.extra])
    lab.wait_until(lambda: redis.answers(1), "the replica serving")
    idle = own_memory(replica) / 1024
    with Peak(replica) as peak:
        redis.command(1, "REPLICAOF", "127.0.0.1", redis.ports[0])
        lab.wait_until(lambda: redis.follows(1) and redis.command(1, "DBSIZE") == f":{count}", "the replica's file is whole", 600)
    for i in (0, 1):
        redis.end(i)
        shutil.rmtree(f"{place.directory}/redis{i}")
    return idle, peak.most[0] / 1024


def per_slave(place, count=16):
    """What each slave costs its master, in KiB; of the node and of Redis. What the first one costs more is what it takes to have slaves
    at all (OpenSSL makes its tables then), once."""
    master = place.node("many").wait()
    master.be_master()
    slaves = [place.node(f"many{i}").wait() for i in range(count + 1)]
    slaves[0].be_slave(master)
    before = own_memory(master.process)
    for slave in slaves[1:]:
        slave.be_slave(master)
    ours = (own_memory(master.process) - before) / count
    for node in (*slaves, master):
        node.end()
    redis = others.Redis(place, replicas=1)
    before = own_memory(redis.processes[0])
    for i in range(2, count + 2):
        redis.ports.append(lab.free_port())
        redis.start(i)
    theirs = (own_memory(redis.processes[0]) - before) / count
    for i in range(count + 2):
        redis.end(i)
        shutil.rmtree(f"{place.directory}/redis{i}")
    return ours, theirs


def memory(place, large=2048, small=256):
    idle_node = place.node("idle").wait()
    idle = own_memory(idle_node.process) / 1024
    idle_node.end()
    one = per_slave(place)
    little = peak_of_copy(place, "small", small)
    much = peak_of_copy(place, "large", large)
    redis_idle, redis_peak = peak_of_redis(place, small)
    return [
        Row("memory", "memory-idle", "the node's own memory, idle", "an empty Redis", "cost", "MiB", [(idle, redis_idle)], 1.0),
        Row("memory", "memory-slave", "a master's memory for each slave after the first", "Redis, for each replica", "cost", "KiB", [one], 1.0),
        Row("memory", "memory-copy", f"a slave's own memory during a copy of {large / 1024:.0f} GiB, at most",
            f"Redis's replica during one of {small} MiB", "cost", "MiB", [(much[1], redis_peak)], 1.0),
        Row("memory", "memory-constant", f"the same, copy of {large / 1024:.0f} GiB", f"copy of {small} MiB", "cost", "MiB",
            [(much[1], little[1])], 1.1),
        Row("memory", "memory-constant-master", f"the master's during that, copy of {large / 1024:.0f} GiB", f"copy of {small} MiB",
            "cost", "MiB", [(much[0], little[0])], 1.1),
    ]
