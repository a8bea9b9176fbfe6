# SPDX-License-Identifier: Apache-2.0
"""Owns the hosts of a cluster: their directories, their processes, what is done to these."""

import asyncio
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import network
import powerloss

KINDS = ("bus", "node", "service")
TOKEN = b"a token that all hosts of this cluster have"
OTHER_TOKEN = b"another token"
TICK_SEC = 1
SYNC_SEC = 8
REQUEST_SEC = 3
BESLAVE_SEC = 25
CLOCK_FROM, CLOCK_TO = 86400, 7258118400  # 1970 and 2200: no machine is told to have another time

PARTS = {"node": "data", "service": "state"}  # whose calls may fail

BUS_CONF = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={dir}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="signal"/>
    <allow receive_type="method_return"/><allow receive_type="error"/>
  </policy>
  <limit name="max_message_size">134217728</limit>
  <limit name="max_incoming_bytes">134217728</limit>
  <limit name="max_outgoing_bytes">134217728</limit>
</busconfig>
"""
NODE_CONF = """[Node]
IpcAddress={address}:4565
HaAddress={address}:4570
DataDirectory={dir}/data
SchemaDirectory={dir}/schema
BusName=org.confd.HANode
TickTimeoutSec={tick}
SyncTimeoutSec={sync}
"""
SERVICE_CONF = """[ConfD]
Address={address}:4565
TokenFile={dir}/token
RequestTimeoutSec={request}
SyncTimeoutSec={beslave}
ReconnectMaxSec=0.5
[Roles]
Targets=no
"""

CONF = {"node": ("node.conf", "Node"), "service": ("confd-ha.conf", "ConfD")}
DEFAULTS = {("node", "TickTimeoutSec"): "tick", ("node", "SyncTimeoutSec"): "sync", ("service", "RequestTimeoutSec"): "request",
            ("service", "SyncTimeoutSec"): "beslave"}


class Process:
    """One run of a program of a host. Its end is told, also when nobody wanted it."""

    def __init__(self, command, env, log, on_end):
        self.expected = self.stopped = False
        self.fault = None   # the call of it that is to fail
        self.kept = False   # there was something that a service has kept
        self.dies = False   # of itself, at a moment of our choice, as by a loss of power
        self.ended = asyncio.get_running_loop().create_future()
        self.on_end = on_end
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        self.pidfd = os.pidfd_open(self.popen.pid)
        asyncio.get_running_loop().add_reader(self.pidfd, self.reap)

    def reap(self):
        asyncio.get_running_loop().remove_reader(self.pidfd)
        os.close(self.pidfd)
        self.ended.set_result(self.popen.wait())
        self.on_end(self)

    @property
    def runs(self):
        return not self.ended.done()

    def send(self, number):
        if self.runs:
            self.stopped = {signal.SIGSTOP: True, signal.SIGCONT: False}.get(number, self.stopped)
            self.popen.send_signal(number)

    async def end(self, number=signal.SIGKILL, patience=20):
        """Ends it, and waits until the kernel is through with it."""
        self.expected = True
        self.send(number)
        if self.stopped:
            self.send(signal.SIGCONT)
        try:
            return await asyncio.wait_for(asyncio.shield(self.ended), patience)
        except asyncio.TimeoutError:
            self.send(signal.SIGKILL)
            await self.ended
            return None


class Host:
    """A host: a directory, an address, and up to three processes."""

    def __init__(self, cluster, number):
        self.cluster, self.name = cluster, f"n{number}"
        self.dir = cluster.dir / self.name
        self.address = f"{cluster.network}.{number}"
        self.processes, self.boots, self.faults = {}, {kind: 0 for kind in KINDS}, {}
        self.settings = {kind: {} for kind in CONF}
        for part in ("data", "run", "state", "schema"):
            (self.dir / part).mkdir(parents=True, mode=0o700)
        values = {"dir": self.dir, "address": self.address, **cluster.times}
        for name, text in (("bus.conf", BUS_CONF), ("node.conf", NODE_CONF), ("confd-ha.conf", SERVICE_CONF)):
            (self.dir / name).write_text(text.format(**values))
        self.set_token(TOKEN)
        self.clock = 0  # µs by which it is off
        self.step_clock(0)

    def step_clock(self, seconds):
        """CLOCK_REALTIME of its node and service. Returns by how much it is off then, in seconds."""
        now = time.time()
        self.clock = int((min(max(now + self.clock / 1e6 + seconds, CLOCK_FROM), CLOCK_TO) - now) * 1e6) if seconds else self.clock
        descriptor = os.open(self.dir / "clock", os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(descriptor, struct.pack("=q", self.clock), 0)
        os.close(descriptor)
        return self.clock / 1e6

    def configure(self, kind, **settings):
        """Other settings than the cluster's, in a drop-in; None for one that is as it was."""
        self.settings[kind].update(settings)
        name, section = CONF[kind]
        lines = [f"[{'Roles' if key == 'GraceSec' else section}]\n{key}={value}\n" for key, value in self.settings[kind].items() if value is not None]
        (self.dir / f"{name}.d").mkdir(exist_ok=True)
        (self.dir / f"{name}.d" / "50-chaos.conf").write_text("".join(lines))

    def break_configuration(self, kind, broken):
        """A drop-in that nobody can read, or no longer."""
        name, section = CONF[kind]
        path = self.dir / f"{name}.d" / "60-broken.conf"
        path.parent.mkdir(exist_ok=True)
        if broken:
            path.write_text(f"[{section}]\nSyncTimeoutSec=often\n")
        else:
            path.unlink(missing_ok=True)

    def setting(self, kind, key):
        """What its file says."""
        value = self.settings[kind].get(key)
        return self.cluster.times[DEFAULTS[kind, key]] if value is None else float(value)

    def set_token(self, token):
        path = self.dir / "token"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(token)

    def command(self, kind):
        build = self.cluster.build
        return {"bus": ["dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", f"--config-file={self.dir}/bus.conf"],
                "node": [f"{build}/src/node/confd-ha-node", f"--config={self.dir}/node.conf"],
                "service": [f"{build}/src/service/confd-had", f"--config={self.dir}/confd-ha.conf"]}[kind]

    def environment(self, kind):
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.dir}/bus",
               "RUNTIME_DIRECTORY": f"{self.dir}/run", "STATE_DIRECTORY": f"{self.dir}/state"}
        env.update(self.cluster.more_environment)
        report = f"log_path={self.cluster.dir}/sanitizer.{self.name}.{kind}"
        env["ASAN_OPTIONS"] = f"detect_leaks=1:halt_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1:{report}"
        env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"  # what is preloaded there allocates nothing
        env["UBSAN_OPTIONS"] = f"halt_on_error=1:print_stacktrace=1:{report}"
        if kind == "node" and self.cluster.preload:
            env.update(powerloss.environment(self.cluster.preload, self.dir, self.faults.get(kind)))
        elif kind == "service" and self.cluster.preload and self.cluster.keeps:
            env.update(powerloss.environment(self.cluster.preload, self.dir, self.faults.get(kind), PARTS[kind]))
        if kind != "bus" and self.cluster.libraries:
            env["LD_PRELOAD"] = " ".join(filter(None, (*map(str, self.cluster.libraries), env.get("LD_PRELOAD"))))
        if kind != "bus" and self.cluster.clock:
            env["CHAOS_CLOCK"] = f"{self.dir}/clock"
        return env

    def start(self, kind):
        if self.runs(kind):
            return
        if kind == "bus":
            (self.dir / "bus").unlink(missing_ok=True)
        self.boots[kind] += 1
        kept = (self.dir / "state" / "last-in-sync").exists()
        process = Process(self.command(kind), self.environment(kind), self.dir / f"{kind}.log",
                          lambda ended: self.cluster.on_end(self, kind, ended))
        process.fault, process.kept = self.faults.pop(kind, None), kept
        process.dies = bool(process.fault and process.fault[2] == "DIE")
        self.processes[kind] = process

    def runs(self, kind):
        return kind in self.processes and self.processes[kind].runs

    def stopped(self, kind):
        return self.runs(kind) and self.processes[kind].stopped

    async def end(self, kind, number=signal.SIGKILL):
        if self.runs(kind):
            return await self.processes[kind].end(number)
        return None

    def send(self, kind, number):
        if self.runs(kind):
            self.processes[kind].send(number)

    def descriptors(self, kind):
        return len(os.listdir(f"/proc/{self.processes[kind].popen.pid}/fd"))

    def memory(self, kind):
        """In KiB: what is resident and no file's."""
        for line in pathlib.Path(f"/proc/{self.processes[kind].popen.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        return 0

    def power_cut(self, seed):
        """After the node has been killed: what the disk would have."""
        return powerloss.cut(self.dir, seed)

    def state_cut(self, seed):
        """The same of what the service keeps; and what it keeps for this boot of the machine is gone."""
        shutil.rmtree(self.dir / "run")
        (self.dir / "run").mkdir(mode=0o700)
        return powerloss.cut(self.dir, seed, "state") if (self.dir / "journal.state").exists() else "nothing"

    def limit_disk(self, mebibytes):
        """A disk of its own, which can be full. Only before the first start, in a mount namespace of ours."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700,nr_inodes=24", "tmpfs", self.dir / "data"],
                       check=True)

    def fill_disk(self, leave):
        ballast = os.open(self.dir / "data" / "ballast", os.O_WRONLY | os.O_CREAT, 0o600)
        disk = os.statvfs(self.dir / "data")
        try:
            os.posix_fallocate(ballast, 0, max(1, disk.f_bavail * disk.f_frsize - leave))
        except OSError:
            pass  # the node was quicker: the disk is full
        finally:
            os.close(ballast)

    def fill_inodes(self):
        number = 0
        try:
            while True:
                os.close(os.open(self.dir / "data" / f"ballast-{number}", os.O_WRONLY | os.O_CREAT, 0o600))
                number += 1
        except OSError:
            pass

    def enlarge_disk(self, mebibytes):
        """As who is woken by a full one does."""
        subprocess.run(["mount", "-o", f"remount,size={mebibytes}m", self.dir / "data"], check=True)

    def free_disk(self):
        for path in (self.dir / "data").glob("ballast*"):
            path.unlink()


class Cluster:
    """All hosts, and the network between them."""

    def __init__(self, directory, build, count, preload, on_end, clock=None, **times):
        self.times = {"tick": TICK_SEC, "sync": SYNC_SEC, "request": REQUEST_SEC, "beslave": BESLAVE_SEC, **times}
        self.dir, self.build, self.on_end = pathlib.Path(directory), build, on_end
        self.preload, self.clock = preload, clock  # libraries to be preloaded, or None
        self.libraries = [clock] if clock else []
        self.keeps = False  # whether what services keep stands behind the preload, too
        self.more_environment = {}
        self.network = network.claim(self.dir)
        self.links = network.Links(self.network)
        self.hosts = {host.name: host for host in (Host(self, number + 1) for number in range(count))}

    def sanitizer_reports(self):
        return sorted(self.dir.glob("sanitizer.*"))

    async def down(self):
        """Ends everything in peace: the service first, the bus last. Returns what did not end well."""
        bad = []
        for kind in ("service", "node", "bus"):
            for host in self.hosts.values():
                for process_kind in KINDS:
                    host.send(process_kind, signal.SIGCONT)
            for host in self.hosts.values():
                if host.runs(kind):
                    status = await host.end(kind, signal.SIGTERM)
                    if status not in (0, -signal.SIGTERM):
                        bad.append(f"the {kind} of {host.name} ended with status {status} after SIGTERM")
        network.release(self.network)
        return bad

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
