# SPDX-License-Identifier: Apache-2.0
"""Those that the node is compared with: etcd with three members, Redis with two replicas."""

import os
import signal
import socket

import lab


class Etcd:
    """Three members on the loopback, data on the lab's disk, settings as they come."""

    def __init__(self, place):
        self.place = place
        ports = [(lab.free_port(), lab.free_port()) for _ in range(3)]
        members = ",".join(f"e{i}=http://127.0.0.1:{peer}" for i, (_, peer) in enumerate(ports))
        for i, (port, peer) in enumerate(ports):
            place.start(f"etcd{i}", [
                "etcd", "--name", f"e{i}", "--data-dir", f"{place.directory}/etcd{i}", "--logger", "zap", "--log-level", "error",
                "--listen-client-urls", f"http://127.0.0.1:{port}", "--advertise-client-urls", f"http://127.0.0.1:{port}",
                "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                "--initial-cluster", members, "--initial-cluster-token", "bench", "--initial-cluster-state", "new"])
        self.endpoints = [f"127.0.0.1:{port}" for port, _ in ports]
        environment = dict(os.environ, ETCDCTL_API="3")
        lab.wait_until(lambda: self.leader(environment), "etcd has a leader")

    def leader(self, environment):
        """The leader's endpoint: clients go there, as they go to the node's master."""
        for endpoint in self.endpoints:
            try:
                status = self.place.run(["etcdctl", f"--endpoints={endpoint}", "endpoint", "status"], env=environment, timeout=10)
            except lab.Failed:
                continue
            if status.split(", ")[4:5] == ["true"]:
                self.endpoint = endpoint
                return True
        return False

    def load(self, clients, seconds, size=100):
        return self.place.run([self.place.program("load-etcd"), self.endpoint, str(clients), str(seconds), str(size)])


def build_etcd_load(place):
    """Go's cache is kept in the build directory; the sources are those of Debian's package."""
    program = place.program("load-etcd")
    source = f"{lab.TOP}/tests/bench/load-etcd.go"
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        place.run(["go", "build", "-o", program, source], timeout=600,
                  env=dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOCACHE=f"{place.build}/go-cache", GOFLAGS=""))


class Redis:
    """A master and replicas whose append-only files are synced at every write."""

    def __init__(self, place, replicas=2, extra=()):
        self.place, self.extra = place, extra
        self.processes, self.ports = {}, [lab.free_port() for _ in range(replicas + 1)]
        for i in range(replicas + 1):
            self.start(i)

    def start(self, i):
        directory = f"{self.place.directory}/redis{i}"
        os.makedirs(directory, exist_ok=True)
        follow = ["--replicaof", "127.0.0.1", str(self.ports[0])] if i else []
        self.processes[i] = self.place.start(f"redis{i}-server", [
            "redis-server", "--port", str(self.ports[i]), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes",
            "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0", *follow, *self.extra])
        lab.wait_until(lambda: self.processes[i].check() and self.answers(i), f"Redis {i} serving")
        if i:
            lab.wait_until(lambda: self.follows(i), f"Redis {i} following")

    def end(self, i, how=signal.SIGKILL):
        self.place.end(self.processes.pop(i), how)

    def command(self, i, *words, timeout=120):
        """One command; its answer as text."""
        with socket.create_connection(("127.0.0.1", self.ports[i]), timeout=timeout) as s:
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in map(str, words)))
            with s.makefile("rb") as answer:
                line = answer.readline().strip()
                if line.startswith(b"$"):
                    return answer.read(max(int(line[1:]), 0)).decode()
                return line.decode()

    def answers(self, i):
        try:
            return self.command(i, "PING") == "+PONG"
        except OSError:
            return False

    def info(self, i, section):
        return dict(line.split(":", 1) for line in self.command(i, "INFO", section).splitlines() if ":" in line)

    def follows(self, i):
        return self.info(i, "replication").get("master_link_status") == "up" and self.file_is_whole(i)

    def file_is_whole(self, i):
        """The append-only file, which a replica writes anew after a copy, holds all of it."""
        info = self.info(i, "persistence")
        return (info["loading"] == "0" and info["aof_rewrite_in_progress"] == "0" and info["aof_rewrite_scheduled"] == "0" and
                info["aof_last_bgrewrite_status"] == "ok")

    def load(self, clients, seconds, size=100):
        return self.place.run([self.place.program("load-redis"), str(self.ports[0]), str(clients), str(seconds), str(size), "2"])
