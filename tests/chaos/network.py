# SPDX-License-Identifier: Apache-2.0
"""Owns the network of a cluster: a namespace where there may be one, and what is dropped between whom.

All hosts have addresses of the loopback device. In a namespace of our own nftables' rules between two addresses are a
partition, a loss or a narrow link, the last two where the kernel has netem by that; without one there are no network faults, and the
network number is claimed as tools/hosts does it. """

import os
import random
import shutil
import subprocess

ISOLATED = "CHAOS_ISOLATED"  # in the environment: we are alone in our namespaces
PREFIX = "127.77"
CLAIMS = "/tmp/confd-ha-hosts"


def isolation():
    """The command in front of one that is to run in namespaces of its own, or [] where that is not allowed."""
    spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for command in (["unshare", *spaces], ["unshare", "--user", "--map-root-user", *spaces]):
        if subprocess.run([*command, "ip", "link", "set", "lo", "up"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return command
    return []


NETWORK = "add table ip probe; delete table ip probe"
LINKS = """add table ip probe; add chain ip probe out { type nat hook output priority -100; };
add rule ip probe out ip daddr 127.77.1.1 tcp dport 1 meta mark != 1 dnat to 127.77.1.2:1; delete table ip probe"""


def capable(rules):
    """Whether packets between two addresses can be dropped here (NETWORK), or led elsewhere (LINKS)."""
    if ISOLATED not in os.environ or not shutil.which("nft"):
        return False
    return subprocess.run(["nft", rules], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


# What netem has for a rule. Packets of the loopback device are of up to 64 KB: no more than two wait before a narrow link.
NETEM = {"lossy": "loss {}%", "slow": "rate {}kbps limit 2", "rate": "rate {}kbps limit 2", "delay": "delay {}ms limit 10000"}


def has_netem():
    """Whether the kernel has it. Leaves nothing behind; only in a namespace of ours."""
    return ISOLATED in os.environ and bool(shutil.which("tc")) and tc("qdisc add dev lo root netem delay 1ms") and tc("qdisc del dev lo root")


def tc(command, quiet=True):
    """Returns whether it went well, if it may go wrong."""
    return subprocess.run(["tc", *command.split()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL if quiet else None, check=not quiet).returncode == 0


class Shaper:
    """netem between two addresses, one way: a class for each way that ever was bad, picked by its addresses; all else passes."""

    def __init__(self):
        self.ways, self.bad = {}, set()

    def set(self, source, target, words):
        if not self.ways and words:
            tc("qdisc add dev lo root handle 1: htb default 0", quiet=False)
        number = self.ways.get((source, target))
        if number is None and words:
            number = self.ways[source, target] = len(self.ways) + 1
            tc(f"class add dev lo parent 1: classid 1:{number} htb rate 100gbit quantum 200000", quiet=False)
            tc(f"filter add dev lo parent 1: protocol ip prio 1 u32 match ip src {source}/32 match ip dst {target}/32 flowid 1:{number}", quiet=False)
        if number in self.bad:  # anew: what is not named when it is changed stays as it is
            tc(f"qdisc del dev lo parent 1:{number}", quiet=False)
            self.bad.discard(number)
        if words:
            tc(f"qdisc add dev lo parent 1:{number} handle {number + 1}: netem {words}", quiet=False)
            self.bad.add(number)

    def heal(self):
        if self.ways:
            self.ways, self.bad = {}, set()
            tc("qdisc del dev lo root", quiet=False)


def claim(directory):
    """The network of a cluster, as 127.77.X."""
    if ISOLATED in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return f"{PREFIX}.1"
    for number in random.sample(range(1, 255), 254):
        try:
            os.symlink(directory, f"{CLAIMS}-{number}")
            return f"{PREFIX}.{number}"
        except FileExistsError:
            continue
    raise RuntimeError(f"no network {PREFIX}.X is free: see {CLAIMS}-*")


def release(network):
    if ISOLATED not in os.environ:
        os.unlink(f"{CLAIMS}-{network.rsplit('.', 1)[1]}")


class Links:
    """What happens to packets between hosts. Each rule is for one direction, and the last one for it holds."""

    def __init__(self, network):
        self.network, self.rules, self.shapes = network, {}, {}
        self.shaper = Shaper() if has_netem() else None

    def can(self, kind):
        """Whether no proxy is needed for links of that kind."""
        return bool(self.shaper) and kind in NETEM

    def shape(self, source, target, shape):
        """shape: "rate KBYTES", "delay MS", or None; beside the rule, if can() says so."""
        self.shapes[source, target] = shape
        words = [NETEM[what.split()[0]].format(what.split()[1]) for what in (shape, self.rules.get((source, target))) if what and what.split()[0] in NETEM]
        self.shaper.set(self.address(source), self.address(target), " ".join(words))

    def set(self, source, target, rule):
        """rule: "cut", "lossy PERCENT", "slow KBYTES", or None for a whole one."""
        self.rules[source, target] = rule
        if self.shaper:
            self.shape(source, target, self.shapes.get((source, target)))
        lines = ["table ip chaos", "delete table ip chaos", "table ip chaos {", "chain output {", "type filter hook output priority 0;"]
        for (a, b), what in self.rules.items():
            if what and not self.can(what.split()[0]):
                words = what.split()
                verdict = {"cut": "drop", "lossy": f"numgen random mod 100 < {words[-1]} drop",
                           "slow": f"limit rate over {words[-1]} kbytes/second burst 64 kbytes drop"}[words[0]]
                lines.append(f"ip saddr {self.address(a)} ip daddr {self.address(b)} tcp dport != 4565 {verdict}")
        subprocess.run(["nft", "-f", "-"], input="\n".join([*lines, "}", "}"]), text=True, check=True)

    def address(self, name):
        return f"{self.network}.{name[1:]}"

    def heal(self):
        if any(self.rules.values()):
            self.rules = {}
            subprocess.run(["nft", "delete table ip chaos"], check=True)
        self.shapes = {}
        if self.shaper:
            self.shaper.heal()

    def troubled(self, *names):
        return any(rule and set(pair) & set(names) for rules in (self.rules, self.shapes) for pair, rule in rules.items())
