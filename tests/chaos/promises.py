# SPDX-License-Identifier: Apache-2.0
"""Owns what must hold of single promises: settings, TakeOver, what the service keeps on disk, how much was copied. invariants.py
names them."""

import collections
import errno
import os

from cluster import BESLAVE_SEC, REQUEST_SEC
from lineage import LOOKBACK_SEC

NOT_BEGUN = ("Connect", "Closed", "BadSchema", "BadToken", "BadName", "BadVersion")  # of a BeSlave that was begun, and failed
COPIED_MIN = 20  # MiB
LARGE = 60       # MiB: more is a load that is there to be copied
UNSEEN_SEC = 10  # in which a service is back that was away
HA_ERROR = "org.confd.HA.Error."


def find_longest(record):
    """The longest times that a service may have had: by host (RequestTimeoutSec, SyncTimeoutSec)."""
    longest = collections.defaultdict(lambda: (REQUEST_SEC, BESLAVE_SEC))
    for entry in record:
        if entry["e"] == "config" and entry["kind"] == "service" and entry["key"] in ("RequestTimeoutSec", "SyncTimeoutSec"):
            request, sync = longest[entry["host"]]
            value = float(entry["value"])
            longest[entry["host"]] = (max(request, value), sync) if entry["key"] == "RequestTimeoutSec" else (request, max(sync, value))
    return longest


def check_configured(record):
    """A file that can be read is taken, one that cannot is refused; no order is given up sooner than any setting had it."""
    shortest, orders = collections.defaultdict(lambda: REQUEST_SEC), {}
    for entry in record:
        if entry["e"] == "reloaded" and entry["error"] != (HA_ERROR + "BadConfiguration" if entry["broken"] else ""):
            yield "configured", entry["t"], f"the {entry['kind']} of {entry['host']} read {'a broken' if entry['broken'] else 'its'} file: " \
                f"{entry['error'] or 'no error'}"
        elif entry["e"] == "unconfigured":
            yield "configured", entry["t"], entry["text"]
        elif entry["e"] == "config" and entry["key"] in ("RequestTimeoutSec", "SyncTimeoutSec") and entry["kind"] == "service":
            shortest[entry["host"]] = min(shortest[entry["host"]], float(entry["value"]))
        elif entry["e"] == "order":
            orders[entry["n"]] = entry
        elif entry["e"] == "answer" and entry["error"] == HA_ERROR + "Timeout":
            order = orders[entry["n"]]
            took = entry["t"] - order["t"]
            # A be-slave may share the end of one that was ordered before it.
            if took < shortest[entry["host"]] * 0.9 and order["by"] == "service" and order["kind"] != "be-slave":
                yield "configured", entry["t"], f"{entry['host']}: {order['kind']} was given up after {took:.2f} s"


class Following:
    """What a host last had in place, by the events of its node, and what has been done to it since."""

    def __init__(self, master, at, boot):
        self.master, self.at, self.boot = master, at, boot
        self.until = None      # when it may have left its master otherwise than by its own end
        self.ended = None      # when its node was ended while it followed
        self.begun = None      # the BeSlave that was begun since, and failed


class TakeOvers:
    """Of each TakeOver that succeeded: no BeSlave was begun since the data was in sync; it was so under that master; and all is
    there that the master had acknowledged when nothing had come between them but the end of the node's own life: then it cannot
    know, and must not have been let."""

    def __init__(self, record):
        self.record, self.found = record, []
        self.last, self.beslave, self.orders = {}, {}, {}  # last: Following, or None if we do not know
        self.strange = set()   # hosts that somebody else than the service has ordered about
        self.unseen = {}       # when the service of a host may have been away last
        self.acked = collections.defaultdict(list)  # by master: (asked, acknowledged, serial)
        self.writes, self.due = {}, {}
        self.pending = collections.defaultdict(set)  # orders without an answer, by host

    def check(self):
        for entry in self.record:
            handler = getattr(self, "on_" + entry["e"], None)
            if handler:
                handler(entry)
        return self.found

    def fail(self, entry, text):
        self.found.append(("take-over", entry["t"], f"{entry['host']}: {text}"))

    def part(self, at, *names):
        """Something came between one of these and those that follow it, or that it follows."""
        for host, following in self.last.items():
            if following and following.until is None and {host, following.master} & set(names):
                following.until = at

    def on_write(self, entry):
        self.writes[entry["serial"]] = entry

    def on_acked(self, entry):
        write = self.writes[entry["serial"]]
        self.acked[write["host"]].append((write["t"], entry["t"], entry["serial"]))

    def on_fault(self, entry):
        name, what = entry["host"], entry["what"]
        if entry["kind"] in ("service", "bus"):
            self.unseen[name] = entry["t"]
        elif entry["kind"] == "node" and what in ("kill", "end"):
            following = self.last.get(name)
            if following and following.until is None and following.ended is None:
                following.ended = entry["t"]
            for host, other in self.last.items():  # who followed it has lost it
                if other and other.master == name and host != name and other.until is None:
                    other.until = entry["t"]
        elif entry["kind"] in ("node", "disk", "link"):
            self.part(entry["t"], name, entry.get("other"))

    def on_order(self, entry):
        self.orders[entry["n"]] = entry
        name = entry["host"]
        self.due.pop(name, None)
        if entry["by"] == "raw":
            self.last[name] = self.beslave[name] = None
            self.strange.add(name)
        elif entry["kind"] == "be-slave":
            self.beslave[name] = entry["args"][0]
        if entry["kind"] == "slave-dead":
            self.part(entry["t"], name, entry["args"][0])
        elif entry["kind"] != "take-over":
            self.part(entry["t"], name)
        entry["following"], entry["alone"] = self.last.get(name), not self.pending[name]
        self.pending[name].add(entry["n"])

    def on_event(self, entry):
        name, kind, following = entry["host"], entry["name"], self.last.get(entry["host"])
        if kind == "SUBSCRIBED" and following and following.boot == entry["boot"]:
            self.last[name] = None  # we were not listening
        elif kind == "SLAVE_INITIALIZED":
            master = self.beslave.get(name)
            self.last[name] = Following(master, entry["t"], entry["boot"]) if master else None
        elif kind == "IS_MASTER":
            self.last[name] = None if name in self.strange else Following(name, entry["t"], entry["boot"])
        elif kind in ("NOMASTER", "IS_NONE") and following and following.until is None:
            following.until = entry["t"] - LOOKBACK_SEC
        elif kind == "SLAVE_DIED":
            following = self.last.get(entry["data"])
            if following and following.master == name and following.until is None and following.ended is None:
                following.until = entry["t"] - LOOKBACK_SEC

    def on_answer(self, entry):
        order, name = self.orders[entry["n"]], entry["host"]
        following, before = self.last.get(name), order["following"]
        alone = order["alone"] and self.pending[name] == {entry["n"]}
        self.pending[name].discard(entry["n"])
        if order["by"] == "service" and order["kind"] in ("be-master", "be-slave") and not entry["error"]:
            self.strange.discard(name)
        if order["kind"] == "be-slave" and order["by"] == "service" and following and following is order["following"] and \
                entry["error"] in [HA_ERROR + error for error in NOT_BEGUN]:
            following.begun = following.begun or order
        if order["kind"] == "take-over" and not entry["error"] and before and alone:
            self.judge(entry, order, before)

    def judge(self, entry, order, following):
        name = entry["host"]
        old = order["args"][0]
        if following.begun:
            self.fail(entry, f"takes over from {old}, though a BeSlave of {following.begun['args'][0]} was begun at "
                      f"{following.begun['t']:.2f} s, since its data was in sync")
        elif old not in ("any", following.master) and self.unseen.get(name, -3600) < following.at - UNSEEN_SEC:
            self.fail(entry, f"takes over from {old}, and its data was last in sync under {following.master}")
        elif following.master != name:
            until = min(at for at in (following.until, order["t"]) if at is not None)
            self.due[name] = (following, [serial for asked, acked, serial in self.acked[following.master] if asked > following.at and acked < until])

    def on_data(self, entry):
        if entry["why"] != "taken-over" or entry["host"] not in self.due:
            return
        following, due = self.due.pop(entry["host"])
        missing = [serial for serial in due if serial not in entry["marks"]]
        if missing:
            self.fail(entry, f"took over from {following.master}, which had acknowledged {missing[:8]}, and they are not there" +
                      (f"; its node had ended at {following.ended:.2f} s" if following.ended else ""))


def check_take_overs(record):
    """On a copy: the orders are given marks."""
    return TakeOvers([dict(entry) for entry in record]).check()


def check_past(record):
    """What a service had told of its past is what it knows when the host has power again: it was on disk before. What had come since it
    was told may be there, too."""
    told, since, dark, pending = {}, collections.defaultdict(lambda: -1), {}, collections.Counter()
    for entry in record:
        kind, host = entry["e"], entry.get("host")
        sync = entry["values"].get("LastInSync") if kind == "changed" else entry["sync"] if kind == "shows" else None
        if sync:
            told[host] = (entry["t"], sync)
        elif kind in ("order", "event"):
            since[host] = entry["t"]
            pending[host] += kind == "order"
        elif kind == "answer":  # what came of it was told before
            pending[host] -= 1
        elif kind == "fault" and entry["kind"] == "service":
            told.pop(host, None)  # what it would have told, it may have written
        elif kind == "dark":
            dark[host] = told.pop(host, None)
            if dark[host] and (since[host] >= dark[host][0] or pending[host]):
                dark[host] = None
            since[host] = entry["t"]
        elif kind == "complains" or kind == "fired" and entry["kind"] == "service" and entry["error"] != "DIE":
            told.pop(host, None)  # check_kept() is for those
            dark[host] = None
        elif kind == "past" and dark.get(host):
            at, was = dark.pop(host)
            asked = since[host]
            sync = entry["sync"]
            same = list(sync) == list(was) or was[4] == "lasts" and list(sync[:3]) == list(was[:3]) and sync[4] in ("lasts", "outage", "master-lost")
            if not same and not any(other["e"] == "order" and other["host"] == host and asked < other["t"] < entry["t"] for other in record):
                yield "past", entry["t"], f"{host}: LastInSync was {was} at {at:.2f} s, the power went, and it is {sync}"


def check_kept(record):
    """A service whose files fail says which, and with what; otherwise it knows what it had told. Who has forgotten lets nobody take over.
    That a call has failed comes into the record when the service has ended, what it says of that at once."""
    knows, failed, complaints, blind = {}, set(), collections.defaultdict(list), set()
    life, doubtful = collections.defaultdict(list), {}  # of this life: what it says, and what for nobody knows yet
    for entry in record:
        kind, host = entry["e"], entry.get("host")
        sync = entry["values"].get("LastInSync") if kind == "changed" else entry["sync"] if kind in ("shows", "knows") else None
        if sync and sync[4]:
            knows[host] = (entry["t"], sync if kind == "knows" else None)
        elif kind == "complains":
            complaints[host].append(entry)
            life[host].append(entry)
        elif kind == "started" and entry["kind"] == "service":
            yield from without_cause(doubtful.pop(host, None))
            life[host].clear()
        elif kind == "fired" and entry["kind"] == "service":
            failed.add(host)
            doubtful.pop(host, None)
            yield from check_complaints(entry, life[host])
            if entry["error"] != "DIE" and entry["status"] != 0:
                blind.add(host)  # it was ended before it could say so
        elif kind == "past":
            at, was = knows.get(host, (0, None))
            if not (complaints[host] or host in blind) and host in knows and (not entry["sync"][4] or was and list(was) != list(entry["sync"])):
                yield "past", entry["t"], f"{host}: LastInSync was {was or 'known'} at {at:.2f} s, and is {entry['sync']} in the next life of its service"
            if not entry["sync"][4]:
                knows.pop(host, None)
                continue
            if host not in failed and complaints[host]:
                doubtful[host] = complaints[host][0]
            complaints[host] = list(life[host])
            blind.discard(host)
        elif kind == "forgetful" and entry["error"] != HA_ERROR + "NotInSync":
            yield "past", entry["t"], f"{host}: its service has forgotten its past, and TakeOver from itself is {entry['error'] or 'done'}, not NotInSync"
        if kind in ("order", "event") and knows.get(host, (0, None))[1]:
            knows[host] = (knows[host][0], None)
    for complaint in doubtful.values():
        yield from without_cause(complaint)


def without_cause(complaint):
    if complaint:
        yield "past", complaint["t"], f"{complaint['host']}: its service complains of a file that nothing was done to: {complaint}"


def check_complaints(fired, complaints):
    """What stays broken, and what cannot be read, is said once at least, with the error, by who ends in peace."""
    must = fired["status"] == 0 and (fired["error"].endswith("+") or fired["call"] == "read")
    what = "read" if fired["call"] == "read" else "written"
    error = os.strerror(getattr(errno, fired["error"].rstrip("+"), 0))
    if must and not any((complaint["what"], complaint["error"]) == (what, error) for complaint in complaints):
        yield "past", fired["t"], f"{fired['host']}: {fired['what']} came, and its service has not said that its file cannot be {what}: {error}"


def check_copied(record):
    """A load that is there to be copied is one, and is copied: as it is written, or in peace, where another one may be master."""
    loaded, large, copied = collections.Counter(), set(), False
    for entry in record:
        if entry["e"] == "action" and entry["text"].split()[1] == "bulk" and int(entry["text"].split()[3]) > LARGE:
            large.add(entry["text"].split()[2])
        elif entry["e"] == "loaded":
            loaded[entry["host"]] += entry["mebibytes"]
        elif entry["e"] == "event" and entry["name"] == "SLAVE_INITIALIZED" and entry["data"] != 0:
            copied |= any(loaded[host] >= COPIED_MIN for host in loaded if host != entry["host"])
    settled = not any(entry["e"] == "unsettled" for entry in record)
    for host in large:
        if not copied and settled:
            yield "copied", record[-1]["t"], f"{loaded[host]} MiB were written at {host}, to be copied, and were not"


def check(record):
    """All violations, as (invariant, at, text)."""
    for part in (check_configured, check_take_overs, check_past, check_kept, check_copied):
        yield from part(record)
