# SPDX-License-Identifier: Apache-2.0
"""The service, the library and the command line."""

import os
import subprocess
import time

from lab import Failed, pairs_of, wait_until
from measure import Plain, Row

PING = "Peer.Ping of the same process"
SHOWN = ["status-1", "order", "event", "idle-rss", "start", "both", "ctl"]


def on_host(directory, build, host=1):
    """The environment of a program on a host of tools/hosts."""
    return dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={directory}/n{host}/bus",
                PATH=f"{build}/src/ctl:{os.environ['PATH']}")


def bus(lab):
    directory = lab.hosts(1)
    found = pairs_of(lab.run([lab.program("bench-bus")], env=on_host(directory, lab.build)))
    wanted = {"status-1": 0.85, "status-64": 0.9, "get-1": 0.9, "getall-1": 0.7}
    words = {"status": "Status", "get": "Properties.Get", "getall": "Properties.GetAll"}
    rows = []
    for name, pairs in found.items():
        call, width = name.split("-")
        what = words[call] + (", one caller" if width == "1" else f", {width} in flight")
        rows.append(Row("bus", name, what, PING, "rate", "µs", pairs, wanted.get(name), inverse=True))
    return rows


def status(lab):
    found = pairs_of(lab.run([lab.program("bench-status")]))
    words = {"both": ("status of 255 nodes, encoded and decoded into the documented struct", 2.0),
             "encode": ("the same, encoded", None), "decode-struct": ("the same, decoded into the struct", None),
             "decode-view": ("the same, decoded as the service does", None)}
    if "both" not in found:
        raise Failed("erlang-dev was not there when bench-status was built")
    return [Row("status", name, what, "libei", "rate", "µs", found[name], reach, inverse=True)
            for name, (what, reach) in words.items()]


def time_of(arguments, environment):
    begun = time.perf_counter()
    subprocess.run(arguments, env=environment, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begun) * 1e3


def ctl(lab):
    directory = lab.hosts(1)
    environment = on_host(directory, lab.build)
    ours = ["confd-hactl", "status"]
    theirs = ["busctl", "call", "org.confd.HA", "/org/confd/HA", "org.freedesktop.DBus.Properties", "GetAll", "s", "org.confd.HA"]
    pairs = []
    for i in range(61):
        first = time_of(ours if i % 2 else theirs, environment)
        second = time_of(theirs if i % 2 else ours, environment)
        pairs.append((first, second) if i % 2 else (second, first))
    return [Row("ctl", "ctl", "confd-hactl status", "busctl call of GetAll", "rate", "ms", pairs[1:], 0.8, inverse=True)]


def order(lab):
    directory = lab.hosts(2)
    lab.run([f"{os.path.dirname(os.path.dirname(os.path.dirname(__file__)))}/tools/hosts", "kill", f"{directory}/n2", "service"])
    with open(f"{directory}/n2/address", encoding="ascii") as file:
        address = file.read().strip()
    environment = dict(on_host(directory, lab.build), CONFD_IPC_ACCESS_FILE=f"{directory}/n2/ipc-access")
    found = pairs_of(lab.run([lab.program("bench-order"), address, f"{directory}/n2/token"], env=environment))
    return [
        Plain("order", "order", "BeNone over D-Bus, more than through the blocking library", "µs",
              [a - b for a, b in found["order"]], 120, note="each of 400 orders, and the library's beside it"),
        Row("order", "order-library", "BeNone over D-Bus", "the same through the blocking library", "cost", "µs", found["order"]),
        Row("order", "order-ping", "BeNone over D-Bus", PING, "cost", "µs", found["ping"]),
    ]


def service_on(lab, bus, address, name="service"):
    """A confd-had on that bus, for the ConfD at that address; its configuration."""
    token = f"{lab.directory}/{name}-token"
    with open(token, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write("bench\n")
    config = f"{lab.directory}/{name}.conf"
    with open(config, "w", encoding="ascii") as file:
        file.write(f"[ConfD]\nAddress={address}:4565\nTokenFile={token}\n[Roles]\nTargets=no\n")
    environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus, RUNTIME_DIRECTORY=lab.new_directory(f"{name}-run"),
                       STATE_DIRECTORY=lab.new_directory(f"{name}-state"))
    return environment, [f"{lab.build}/src/service/confd-had", f"--config={config}"]


def event(lab):
    address = lab.bus(), lab.address()
    environment, command = service_on(lab, *address)
    lab.start("service", command, env=environment)
    found = pairs_of(lab.run([lab.program("bench-event"), address[1]], env=environment))
    return [
        Row("event", "event", "an event of ConfD until a D-Bus subscriber has it", PING, "cost", "µs", found["event"], 1.0),
        Row("event", "event-rate", "100,000 events, 20,000 a second, to a D-Bus subscriber", "the rate they are made at", "rate", "/s",
            [(found["rate"][0], 20000)], 0.99),
        Plain("event", "event-lost", "lost of them", "", found["lost"], 0),
        Plain("event", "event-growth", "the service's memory grows by, meanwhile", "KiB", found["growth"], 1024),
    ]


def start(lab):
    bus_address = lab.bus()
    node = lab.node("n1").wait()
    environment, command = service_on(lab, bus_address, node.address)
    found = pairs_of(lab.run([lab.program("bench-start"), f"{lab.sockets}/notify", *command], env=environment, timeout=300))
    return [Row("start", name, "confd-had from exec to READY", f"systemd-{other} to its name", "cost", "ms", found[other], 1.0)
            for name, other in (("start", "timedated"), ("start-hostnamed", "hostnamed"))]


def idle(lab, seconds=60):
    bus_address = lab.bus()
    node = lab.node("n1").wait()
    environment, command = service_on(lab, bus_address, node.address)
    service = lab.start("service", command, env=environment)
    wait_until(lambda: service.check() and b"true" in subprocess.run(
        ["busctl", f"--address={bus_address}", "get-property", "org.confd.HA", "/org/confd/HA", "org.confd.HA", "EventsConnected"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout, "the service follows its ConfD")
    rows = []
    # They leave when nobody calls: so they are looked at at once.
    for name, path in (("timedated", "timedate1"), ("hostnamed", "hostname1")):
        other = lab.start(name, [f"/lib/systemd/systemd-{name}"], env=environment)
        wait_until(lambda path=path, other=other: other.check() and subprocess.run(
            ["busctl", f"--address={bus_address}", "call", f"org.freedesktop.{path}", f"/org/freedesktop/{path}",
             "org.freedesktop.DBus.Peer", "Ping"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0, f"{name} answering")
        ours, theirs = service.memory(), other.memory()
        tag = "" if name == "timedated" else f"-{name}"
        rows.append(Row("idle", f"idle-rss{tag}", "confd-had idle: resident", f"systemd-{name}", "cost", "KiB",
                        [(ours[0], theirs[0])], 1.0))
        rows.append(Row("idle", f"idle-dirty{tag}", "confd-had idle: private dirty", f"systemd-{name}", "cost", "KiB",
                        [(ours[1], theirs[1])], 1.0))
    before, begun = service.switches(), time.monotonic()
    time.sleep(seconds)
    woken = (service.switches() - before) * 60 / (time.monotonic() - begun)
    rows.append(Plain("idle", "idle-wakeups", "confd-had idle: wakeups a minute", "", [woken], 4))
    return rows
