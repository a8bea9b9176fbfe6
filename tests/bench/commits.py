# SPDX-License-Identifier: Apache-2.0
"""Commits of the reference node: how many, how long one takes with many slaves, and how soon after a failover."""


import lab
import others
from measure import Plain, Row

SHOWN = ["commits-1-etcd", "commits-16-etcd", "commits-64-etcd", "commits-64-redis", "failover"]
SECONDS, ROUNDS = 1.5, 7


def load(place, bus, *arguments):
    """The rate, and the median, the 99th percentile and the worst latency in microseconds."""
    words = place.run([place.program("load-node"), *map(str, arguments)], env={"DBUS_SYSTEM_BUS_ADDRESS": bus}).split()
    return tuple(float(word) for word in words[1:])


def rate(output):
    return float(output.split()[1])


def commits(place):
    others.build_etcd_load(place)
    bus = place.bus()
    lab.cluster(place, 2, bus)
    etcd, redis = others.Etcd(place), others.Redis(place)
    ours = lambda clients: load(place, bus, clients, SECONDS)[0]
    theirs = {"etcd": lambda clients: rate(etcd.load(clients, SECONDS)), "redis": lambda clients: rate(redis.load(clients, SECONDS))}
    words = {"etcd": "etcd, three members", "redis": "Redis, appendfsync always, WAIT 2"}
    wanted = {("etcd", 1): 1.0, ("etcd", 16): 1.5, ("etcd", 64): 3.0, ("redis", 64): 1.0}
    rows = []
    for clients in (1, 16, 64):
        pairs = {name: [] for name in theirs}
        for measure in theirs.values():
            measure(clients)
        ours(clients)
        for i in range(ROUNDS):
            # All three, the order turning, so that each pair is of neighbours.
            runs = ["node", *theirs]
            runs = runs[i % 3:] + runs[:i % 3]
            found = {name: ours(clients) if name == "node" else theirs[name](clients) for name in runs}
            for name in theirs:
                pairs[name].append((found["node"], found[name]))
        plural = "client" if clients == 1 else "clients"
        for name in theirs:
            rows.append(Row("commits", f"commits-{clients}-{name}", f"durable commits, master and two slaves, {clients} {plural}",
                            words[name], "rate", "/s", pairs[name], wanted.get((name, clients)), x=clients))
    return rows


def slaves(place):
    bus = place.bus()
    nodes = [place.node("n0", bus).wait()]
    nodes[0].be_master()
    latency, rows = {}, []
    for count in (2, 8, 32, 128, 254):
        new = [place.node(f"n{i}") for i in range(len(nodes), count + 1)]
        for node in new:
            node.wait()
            node.be_slave(nodes[0])
        nodes += new
        load(place, bus, 1, 0.5)
        latency[count] = [load(place, bus, 1, 1)[1] / 1e3 for _ in range(5)]
        row = Plain("slaves", f"slaves-{count}", f"one client's commit, {count} slaves", "ms", latency[count], x=count)
        rows.append(row)
        if count > 2:
            # Less than linear up to 32: so many times the slaves, fewer times the time. After that linear.
            base = 2 if count <= 32 else 32
            rows.append(Row("slaves", f"slaves-{count}-{base}", f"one client's commit, {count} slaves", f"the same with {base}", "cost", "ms",
                            list(zip(latency[count], latency[base])), count / base))
    return rows


def failover(place):
    """n0 and n1 take turns: the slave becomes the master, and its first write is waited for. Nobody else is left to wait for."""
    bus = [place.bus("bus0"), place.bus("bus1")]
    nodes = [place.node(f"n{i}", bus[i]) for i in range(2)]
    for node in nodes:
        node.wait()
    nodes[0].be_master()
    nodes[1].be_slave(nodes[0])
    found, commit = [], []
    for i in range(15):
        old, new = nodes[i % 2], nodes[1 - i % 2]
        load(place, bus[i % 2], 4, 0.2)
        old.be_none()
        words = place.run([place.program("take-over"), new.address, new.name], env={"DBUS_SYSTEM_BUS_ADDRESS": new.bus}).split()
        found.append(float(words[1]) / 1e3)
        commit.append(load(place, new.bus, 1, 0.2)[1] / 1e3)
        old.be_slave(new)
    return [
        Plain("failover", "failover", "BeMaster at a slave until its first write is acknowledged", "ms", found, 20),
        Row("failover", "failover-commit", "the same", "the median of a commit on that node", "cost", "ms", list(zip(found, commit))),
    ]
