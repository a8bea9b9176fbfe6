# SPDX-License-Identifier: Apache-2.0
"""Curves of scale: what a master does with more and more slaves, and with a database that grows. Not a part of the whole ./bench, which
it would make too long; it has its own results, and its own part of docs/performance.md."""

import os
import shutil
import signal
import subprocess
import time

import lab
from commits import load
from copies import MIB, InBackground, Peak, own_memory
from measure import Plain

SLAVES = (2, 8, 32, 128, 254)
SIZES = (128, 256, 512, 1024, 2048)  # MiB
VALUE_MIB = 8
STATUS_ROUNDS = 300


def together(place, nodes, master):
    """All of them are told at once to be slaves: the seconds until the last one has arrived."""
    begun = time.monotonic()
    orders = [subprocess.Popen([place.program("order"), node.address, "be-slave", node.name, master.name, master.address],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for node in nodes]
    for order in orders:
        _, error = order.communicate(timeout=600)
        if order.returncode != 0:
            raise lab.Failed(error.strip() or f"be-slave: {order.returncode}")
    return time.monotonic() - begun


def until_slaves(node, count):
    """Until the node's own status names so many: the seconds."""
    begun = time.monotonic()
    node.order("until", str(count))
    return time.monotonic() - begun


def deaths(place, bus, nodes, count):
    """SIGKILL to so many slaves at once while one client commits: until the master's status lacks them, and the worst commit. It has
    not to wait for three ticks, since the system closes the connections of those who die."""
    dying, left = nodes[len(nodes) - count:], nodes[:len(nodes) - count]
    writing = InBackground(lambda: load(place, bus, 1, 2))
    lab.wait_until(lambda: writing.is_alive(), "the load has begun")
    time.sleep(0.5)  # into the load, so that there are commits before, meanwhile and after
    begun = time.monotonic()
    for node in dying:
        os.kill(node.process.pid, signal.SIGKILL)
    until_slaves(nodes[0], len(left) - 1)
    taken = time.monotonic() - begun
    for node in dying:
        node.end(signal.SIGKILL)
    return left, taken, writing.get()[3]


def promotion(place, nodes):
    """SIGKILL to the master. The first slave becomes master, and the others follow it, which copies nothing: until its first write, and
    until the last one follows."""
    old, new, others = nodes[0], nodes[1], nodes[2:]
    old.end(signal.SIGKILL)
    begun = time.monotonic()
    words = place.run([place.program("take-over"), new.address, new.name], env={"DBUS_SYSTEM_BUS_ADDRESS": new.bus}, timeout=600).split()
    if others:
        together(place, others, new)
    until_slaves(new, len(others))
    return float(words[1]), time.monotonic() - begun


def until_same(nodes):
    """Until they have the same data, by the id of the last transaction."""
    lab.wait_until(lambda: len({node.transaction_id() for node in nodes}) == 1, "the data are the same on " + ", ".join(n.name for n in nodes))


def with_slaves(place, count):
    """One cluster with so many slaves from its beginning to its end."""
    prefix = f"s{count}-"
    buses = [place.bus(f"{prefix}bus{i}") for i in range(3)]
    data = place.new_directory(f"{prefix}data")
    place.run([place.program("fill-store"), data, "1024", "1024"])
    master = place.node(f"{prefix}0", buses[0], data=data).wait()
    slaves = [place.node(f"{prefix}{i + 1}", buses[i + 1] if i < 2 else None) for i in range(count)]
    nodes = [master, *slaves]
    for node in slaves:
        node.wait()
    master.be_master()
    before = own_memory(master.process)
    together(place, slaves[:1], master)
    first = own_memory(master.process)
    joined = together(place, slaves[1:], master) / (count - 1)
    until_slaves(master, count)
    memory = own_memory(master.process)
    load(place, buses[0], 1, 0.5)
    commit = [load(place, buses[0], 1, 1)[1] / 1e3 for _ in range(3)]
    rate = [load(place, buses[0], 64, 1.5)[0] for _ in range(3)]
    status = [master.order("status", str(STATUS_ROUNDS)) for _ in range(3)]
    nodes, died, worst = deaths(place, buses[0], nodes, count // 2)
    took_over, all_follow = promotion(place, nodes)
    until_same(nodes[1:3])
    for node in nodes[1:]:
        node.end(signal.SIGKILL)
    for i in range(count + 1):
        shutil.rmtree(nodes[0].lab.directory + f"/{prefix}{i}-data", ignore_errors=True)
    shutil.rmtree(data)
    found = [
        ("join", "each of the slaves joins, all at once, and copies 1 MiB", "ms", [joined * 1e3]),
        ("commit", "one client's commit, the median", "ms", commit),
        ("rate", "commits of 64 clients", "/s", rate),
        ("status", "the master's status by the library", "µs", status),
        ("memory", "the master's own memory", "MiB", [memory / 1024]),
        ("memory-each", "of that for each slave after the first", "KiB", [(memory - first) / (count - 1)]),
        ("death", "half of the slaves are killed: until the status lacks them", "ms", [died * 1e3]),
        ("death-worst", "the worst commit meanwhile", "ms", [worst / 1e3]),
        ("promotion", "the master is killed: BeMaster at a slave until its first write", "ms", [took_over / 1e3]),
        ("promotion-all", "and until all that are left follow it", "ms", [all_follow * 1e3]),
    ]
    print(f"   {count} slaves: " + ", ".join(f"{name} {values[0]:.4g}" for name, _, _, values in found) + f"; before any {before} KiB",
          flush=True)
    return [Plain("slaves", f"{name}-{count}", f"{what}, {count} slaves", unit, values, x=count) for name, what, unit, values in found]


def fill(place, directory, mebibytes):
    place.run([place.program("fill-store"), directory, str(mebibytes // VALUE_MIB), str(VALUE_MIB * MIB)], timeout=600)


def with_size(place, mebibytes):
    """A master with one slave, which a second one joins while it commits at half of its rate. Then one of the two dies, and the master."""
    prefix = f"d{mebibytes}-"
    buses = [place.bus(f"{prefix}bus{i}") for i in range(3)]
    bus, data = buses[0], place.new_directory(f"{prefix}data")
    fill(place, data, mebibytes)
    master = place.node(f"{prefix}0", bus, data=data).wait()
    first, second = place.node(f"{prefix}1", buses[1]).wait(), place.node(f"{prefix}2", buses[2]).wait()
    master.be_master()
    with Peak(master.process, first.process) as peak:
        alone = first.be_slave(master) / 1e6
    rate = load(place, bus, 1, 1)[0]
    calm = load(place, bus, 1, 1, 100, rate / 2)
    with Peak(master.process, second.process, first.process) as under_load:
        joining = InBackground(lambda: second.be_slave(master) / 1e6)
        time.sleep(min(0.05, alone / 10))  # the order's own start; what is measured is what comes then
        busy = load(place, bus, 1, max(0.1, alone * 0.8), 100, rate / 2)
        joined = joining.get()
    until_same([master, first, second])
    status = [master.order("status", str(STATUS_ROUNDS)) for _ in range(3)]
    _, died, worst = deaths(place, bus, [master, first, second], 1)
    second.start()
    second.wait()
    took_over, follows = promotion(place, [master, first, second])
    until_same([first, second])
    for node in (second, first):
        node.end(signal.SIGKILL)
    for node in (second, first, master):
        shutil.rmtree(node.data)
    most = [max(a, b) / 1024 for a, b in zip(peak.most, under_load.most)]
    found = [
        ("join", "a slave joins", "s", [alone]),
        ("join-load", "a second one, while one client commits at half the rate", "s", [joined]),
        ("copy", "the first copy", "MiB/s", [mebibytes / alone]),
        ("commit-calm", "a commit before, the median", "ms", [calm[1] / 1e3]),
        ("commit", "a commit during the second copy, the median", "ms", [busy[1] / 1e3]),
        ("commit-worst", "the worst of those", "ms", [busy[3] / 1e3]),
        ("status", "the master's status by the library", "µs", status),
        ("death", "one of the two slaves is killed: until the status lacks it", "ms", [died * 1e3]),
        ("death-worst", "the worst commit meanwhile", "ms", [worst / 1e3]),
        ("promotion", "the master is killed: BeMaster at the slave until its first write", "ms", [took_over / 1e3]),
        ("promotion-all", "and until the other, which has missed commits, has copied and follows it", "ms", [follows * 1e3]),
        ("master", "the master's own memory, at most", "MiB", [most[0]]),
        ("slave", "the own memory of one that copies, at most", "MiB", [most[1]]),
    ]
    print(f"   {mebibytes} MiB: " + ", ".join(f"{name} {values[0]:.4g}" for name, _, _, values in found), flush=True)
    return [Plain("size", f"{name}-{mebibytes}", f"{what}, {mebibytes} MiB", unit, values, x=mebibytes) for name, what, unit, values in found]


def scale(place):
    rows = []
    for mebibytes in SIZES:
        rows += with_size(place, mebibytes)
    for count in SLAVES:
        rows += with_slaves(place, count)
    return rows
