# SPDX-License-Identifier: Apache-2.0
"""What runs while something is measured: hosts, nodes, buses and those that are compared with. All of it ends with the lab."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 120

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="*"/>
  </policy>
</busconfig>
"""


class Failed(Exception):
    """What could not be started or measured, in words."""


def wait_until(condition, what, patience=PATIENCE, step=0.005):
    end = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"after {patience} s still not: {what}")
        time.sleep(step)


def listens(address, port):
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def free_port(address="127.0.0.1"):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


class Process:
    def __init__(self, name, arguments, log, **options):
        self.name, self.log = name, log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)

    @property
    def pid(self):
        return self.process.pid

    def check(self):
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                end = "".join(log.readlines()[-10:])
            raise Failed(f"{self.name} has ended with {self.process.returncode}: {end}")
        return True

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def memory(self):
        """Resident and private dirty kibibytes."""
        sizes = {}
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                word, *rest = line.split()
                if word.endswith(":"):
                    sizes[word[:-1]] = rest[0]
        return int(sizes["Rss"]), int(sizes["Private_Dirty"])

    def anonymous(self):
        """Kibibytes that are its own: not pages of files, which the kernel takes back when it wants."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))

    def switches(self):
        """How often its threads have woken up so far."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/status", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
        return total


class Lab:
    """A directory on the disk of the source tree, and one for sockets; `with` ends and removes all of it."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.processes = []
        self.directories = []
        self.hosts_directories = []
        self.taken = 0

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="lab-", dir=self.build)
        self.sockets = tempfile.mkdtemp(prefix="confd-ha-bench-")
        return self

    def __exit__(self, *_):
        for directory in self.hosts_directories:
            subprocess.run([f"{TOP}/tools/hosts", "down", directory], check=False, stdout=subprocess.DEVNULL)
        for process in reversed(self.processes):
            process.end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    # ---- processes ----

    def program(self, name):
        return f"{self.build}/tests/bench/{name}"

    def run(self, arguments, timeout=PATIENCE, **options):
        """Standard output of a program that has to succeed."""
        try:
            done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                                  timeout=timeout, stdin=subprocess.DEVNULL, **options)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{arguments[0]} has not ended after {timeout} s") from error
        if done.returncode != 0:
            raise Failed(f"{' '.join(map(str, arguments))}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def start(self, name, arguments, **options):
        process = Process(name, arguments, f"{self.directory}/{name}.log", **options)
        self.processes.append(process)
        return process

    def end(self, process, how=signal.SIGTERM):
        process.end(how)
        self.processes.remove(process)

    def new_directory(self, name):
        path = f"{self.directory}/{name}"
        os.mkdir(path, 0o700)
        return path

    # ---- a bus, hosts and nodes ----

    def bus(self, name="bus"):
        """A private bus; its address."""
        path = f"{self.sockets}/{name}"
        with open(f"{path}.conf", "w", encoding="ascii") as file:
            file.write(BUS % path)
        process = self.start(name, ["dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", f"--config-file={path}.conf"])
        wait_until(lambda: process.check() and os.path.exists(path), f"the bus at {path}")
        return f"unix:path={path}"

    def hosts(self, count):
        """Hosts of tools/hosts, as they come: their directory."""
        directory = tempfile.mkdtemp(prefix="hosts-", dir=self.sockets)
        self.hosts_directories.append(directory)
        self.run([f"{TOP}/tools/hosts", "up", str(count), directory], env=dict(os.environ, BUILD=self.build))
        return directory

    def hosts_end(self, directory):
        self.hosts_directories.remove(directory)
        self.run([f"{TOP}/tools/hosts", "down", directory])

    def address(self):
        """Of a loopback host of its own."""
        self.taken += 1
        return f"127.78.{1 + self.taken // 250}.{1 + self.taken % 250}"

    def node(self, name, bus=None, extra="", data=None):
        return Node(self, name, bus, extra, data)


class Node:
    """A confd-ha-node, by itself; orders go to it by the blocking library."""

    def __init__(self, lab, name, bus, extra, data=None):
        self.lab, self.name, self.bus = lab, name, bus
        self.address = lab.address()
        self.data = data or lab.new_directory(f"{name}-data")
        self.config = f"{lab.directory}/{name}.conf"
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"[Node]\nIpcAddress={self.address}:4565\nHaAddress={self.address}:4570\nDataDirectory={self.data}\n"
                       f"BusName={'org.confd.HANode' if bus else ''}\n{extra}")
        self.start()

    def start(self):
        environment = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}
        if self.bus:
            environment["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus
        self.process = self.lab.start(self.name, [f"{self.lab.build}/src/node/confd-ha-node", f"--config={self.config}"],
                                      env=environment)

    def wait(self):
        wait_until(lambda: self.process.check() and listens(self.address, 4565), f"{self.name} serving")
        return self

    def end(self, how=signal.SIGTERM):
        self.lab.end(self.process, how)

    def forget(self):
        """Ends, and comes back without its data."""
        self.end(signal.SIGKILL)
        shutil.rmtree(self.data)
        os.mkdir(self.data, 0o700)
        self.start()
        self.wait()

    def order(self, *words):
        """One order; the microseconds until it was answered."""
        return float(self.lab.run([self.lab.program("order"), self.address, *words], timeout=600))

    def be_master(self):
        return self.order("be-master", self.name)

    def be_slave(self, master):
        return self.order("be-slave", self.name, master.name, master.address)

    def be_none(self):
        return self.order("be-none")

    def transaction_id(self):
        return self.lab.run(["busctl", f"--address={self.bus}", "get-property", "org.confd.HANode", "/org/confd/HANode", "org.confd.HANode",
                             "TransactionId"]).strip()


def cluster(lab, slaves=2, bus=None, prefix="n"):
    """A master with so many slaves, which have arrived: the list of them, master first."""
    bus = bus or lab.bus(f"{prefix}-bus")
    nodes = [lab.node(f"{prefix}{i}", bus if i == 0 else None) for i in range(slaves + 1)]
    for node in nodes:
        node.wait()
    nodes[0].be_master()
    for node in nodes[1:]:
        node.be_slave(nodes[0])
    return nodes


def pairs_of(output):
    """Lines "pair NAME OURS THEIRS" and "value NAME X" of the programs: lists by name."""
    found = {}
    for line in output.splitlines():
        kind, name, *numbers = line.split()
        if kind == "pair":
            found.setdefault(name, []).append((float(numbers[0]), float(numbers[1])))
        elif kind == "value":
            found.setdefault(name, []).append(float(numbers[0]))
    return found
