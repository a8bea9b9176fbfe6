# SPDX-License-Identifier: Apache-2.0
"""Owns the network of a cluster: a namespace where there may be one, and what is dropped between whom.

All hosts have addresses of the loopback device. In a namespace of our own nftables' rules between two addresses are a
partition, a loss or a narrow link; without one there are no network faults, and the network number is claimed as tools/hosts
does it. """

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
        self.network, self.rules = network, {}

    def set(self, source, target, rule):
        """rule: "cut", "lossy PERCENT", "slow KBYTES", or None for a whole one."""
        self.rules[source, target] = rule
        lines = ["table ip chaos", "delete table ip chaos", "table ip chaos {", "chain output {", "type filter hook output priority 0;"]
        for (a, b), what in self.rules.items():
            if what:
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

    def troubled(self, *names):
        return any(rule and set(pair) & set(names) for pair, rule in self.rules.items())
