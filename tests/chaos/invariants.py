# SPDX-License-Identifier: Apache-2.0
"""Owns what must hold: looks a record through, and names what does not, with the moment.

acknowledged-kept   what was acknowledged is where it must be, after whatever happened
prefix              data that has a transaction has all that its master had before it
atomic              a transaction is there with all its changes or not at all
refused-nowhere     a write that was refused is nowhere
equal-ids           equal transaction ids are equal data
id-of-data          the id is that of the last transaction in the data
no-needless-copy    nothing is copied when the ids were equal
reads               what a client reads without a pause is one committed state: it has what was acknowledged or read there before,
                    nothing that was refused, and no transaction without those before it
events, signals     come as the contract says, none twice
told                each BeSlave that was accepted has its result; in peace, what was signalled adds up to what Status says
holds               HA steps wait for who is to be waited for, no longer than they may, and the status does not
answered-in-time    every order and every write is answered within its deadline
responsive          no node's loop stands still
alive               no program ends of itself, none reports anything, all end when told to
watched             nothing that was seen ends those who look, but the end of what they look at
settles             left alone, all can follow one master
slow                a link that is slow loses nobody
clocks              nobody is lost when a clock is stepped; LastInSync has its times from its host's clock
peace               then all have the same data, and properties say what Status says
bounded             then descriptors and memory are few
configured          files that can be read are taken, others change nothing; deadlines are as configured
take-over           who takes over has what its old master had acknowledged, and its data was in sync under that one
past                what a service had told of its past it knows when its host has power again, or has said that its files fail
inhibited           role orders of ordinary users are refused while somebody inhibits them, and only then; who inhibits is listed
copied              what is there to be copied is much, and is copied
"""

import collections

import deadlines
import inhibited
from cluster import TICK_SEC
from lineage import Lineage
import promises
from told import Told

Violation = collections.namedtuple("Violation", "invariant at text")

BUSY_SEC = 8          # what a busy machine may add to what is held
STILL_SEC = 2         # a loop that answers no later is not called still; the bus of the same host was quick meanwhile
QUICK_SEC = 0.2
HOLD_SEC = 10         # the longest that one event may be waited for
CLOCK_SEC = 5         # between what a clock said and when we knew of it
DESCRIPTORS_MAX = 64
MEMORY_MAX = 600 << 10  # KiB: with sanitizers, which keep what was freed for a while
UNCERTAIN = ("org.confd.HANode.Error.Uncertain", "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
             "org.freedesktop.DBus.Error.Timeout", "org.freedesktop.DBus.Error.TimedOut", "chaos.Gone")


def bits(number):
    """The serials of a set."""
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


def some(number):
    found = list(bits(number))
    return ", ".join(map(str, found[:8])) + (f" and {len(found) - 8} more" if len(found) > 8 else "")


class Reads:
    """What the permanent readers were answered. Each answer is judged by what the host must have had when it was asked, and is
    something that it has from then on."""

    def __init__(self, data):
        self.data, self.lineage = data, data.lineage
        self.violations, self.news, self.seen = [], [], collections.defaultdict(int)

    def fail(self, entry, text):
        what = entry.get("key") or f"marks after {entry['after']}"
        self.violations.append(Violation("reads", entry["t"], f"{entry['host']}, {what}: {text}"))

    def take(self, entry):
        known = self.lineage.read(entry)
        if known is None:
            self.seen[entry["host"]] = 0
            return
        if "key" in entry:
            has = self.take_value(entry, known)
        else:
            has = sum(1 << serial for serial in entry["marks"])
            missing = known >> entry["after"] + 1 << entry["after"] + 1 & ~has
            if missing:
                self.fail(entry, f"transactions {some(missing)} were acknowledged or read there before, and are not there")
        self.lineage.learned(entry, has)
        self.news.append((entry, has & ~self.seen[entry["host"]], has))
        self.seen[entry["host"]] |= has

    def take_value(self, entry, known):
        key, serial = entry["key"], entry["serial"]
        setters, deleters = self.data.setters[key], self.data.deleters[key]
        if serial is None:
            for wrote in bits(setters & known):
                if not any(not self.data.base(wrote) >> other & 1 for other in bits(deleters)):
                    self.fail(entry, f"is not there, and nobody after {wrote} deleted it")
            return 0
        if not setters >> serial & 1:
            self.fail(entry, f"is of {serial}, which did not write it")
            return 0
        if self.lineage.writes[serial]["sets"][key] != entry["value"]:
            self.fail(entry, f"is not what {serial} wrote")
        over = [other for other in bits((setters | deleters) & known) if self.data.base(other) >> serial & 1]
        if over:
            self.fail(entry, f"is of {serial}, but {over[:4]}, which was there already, changed it later")
        return 1 << serial

    def finish(self):
        """When it is known how each write ended."""
        for entry, news, has in self.news:
            for serial in bits(news):
                write = self.lineage.writes.get(serial, {"base": 0, "error": "never asked for"})
                if write.get("error", UNCERTAIN[0]) not in UNCERTAIN:
                    self.fail(entry, f"shows {serial}, which is nowhere: {write['error']}")
                if "marks" in entry and write["base"] >> entry["after"] + 1 << entry["after"] + 1 & ~has:
                    self.fail(entry, f"shows {serial}, but not all that was there before it")


class Data:
    """What was read, against what was written and acknowledged."""

    def __init__(self, record):
        self.record, self.lineage = record, Lineage(record)
        self.violations, self.by_id = [], {}
        self.reads = Reads(self)
        self.setters, self.deleters = collections.defaultdict(int), collections.defaultdict(int)

    def fail(self, name, entry, text):
        self.violations.append(Violation(name, entry["t"], f"{entry['host']}, {entry['why']}, transaction {entry['id'] or 'none'}: {text}"))

    def check(self):
        read = []
        for entry in self.record:
            self.lineage.take(entry)
            if entry["e"] == "write":
                for key in entry["sets"]:
                    self.setters[key] |= 1 << entry["serial"]
                for key in entry["gone"]:
                    self.deleters[key] |= 1 << entry["serial"]
            elif entry["e"] == "data":
                has = sum(1 << serial for serial in entry["marks"])
                if self.lineage.is_sure(entry):
                    missing = self.lineage.required(entry) & ~has
                    if missing:
                        self.fail("acknowledged-kept", entry, f"transactions {some(missing)} were acknowledged and are not there")
                    self.lineage.learned(entry, has)
                if self.lineage.is_sure(entry) or self.lineage.is_of_one_moment(entry):
                    read.append((entry, has))
            elif entry["e"] == "read":
                self.reads.take(entry)
            elif entry["e"] == "garbage":
                self.violations.append(Violation("reads" if entry["by"] == "reader" else "atomic", entry["t"],
                                                 f"{entry['host']}, {entry['by']}: {entry['key']} is {entry['value']}, which nobody wrote"))
        for entry, has in read:
            self.check_one(entry, has)
        self.reads.finish()
        return self.violations + self.reads.violations

    def base(self, serial):
        return self.lineage.writes[serial]["base"]

    def check_one(self, entry, has):
        ids = {write["id"]: serial for serial, write in self.lineage.writes.items() if "id" in write}
        same = self.by_id.setdefault(entry["id"], entry)
        if (same["marks"], same["keys"]) != (entry["marks"], entry["keys"]):
            odd = sorted(set(same["marks"]) ^ set(entry["marks"]))[:8]
            self.fail("equal-ids", entry, f"other data than {same['host']} had at {same['t']:.2f} under that id; differ in {odd}, "
                      f"{[key for key in sorted(set(same['keys']) | set(entry['keys'])) if same['keys'].get(key) != entry['keys'].get(key)][:4]}")
        later = 0
        for serial in entry["marks"]:
            if serial not in self.lineage.writes:
                self.fail("atomic", entry, f"has {serial}, which nobody wrote")
                continue
            base = self.base(serial)
            if base & ~has:
                self.fail("prefix", entry, f"has {serial}, but not {some(base & ~has)} that were there before it")
            error = self.lineage.writes[serial].get("error")
            if error and error not in UNCERTAIN:
                self.fail("refused-nowhere", entry, f"has {serial}, which was refused: {error}")
            later |= base
        last = ids.get(entry["id"])
        if last is not None and not has >> last & 1:
            self.fail("id-of-data", entry, f"the id is that of {last}, which is not there")
        elif last is not None and later >> last & 1:
            self.fail("id-of-data", entry, f"the id is that of {last}, and there are later ones")
        elif not entry["id"] and has:
            self.fail("id-of-data", entry, "data without an id")
        self.check_values(entry, has)

    def check_values(self, entry, has):
        for key, (serial, value) in entry["keys"].items():
            if not has >> serial & 1:
                self.fail("atomic", entry, f"{key} is of {serial}, which is not there as a whole")
            elif self.lineage.writes.get(serial, {"sets": {}})["sets"].get(key) != value:
                self.fail("atomic", entry, f"{key} is not what {serial} wrote")
            else:
                over = [s for s in bits((self.setters[key] | self.deleters[key]) & has) if self.base(s) >> serial & 1]
                if over:
                    self.fail("atomic", entry, f"{key} is of {serial}, but {over[:4]} came later and changed it")
        for key in self.setters:
            if key in entry["keys"] or key.startswith("/m/"):
                continue
            for serial in bits(self.setters[key] & has):
                if not any(not self.base(serial) >> other & 1 for other in bits(self.deleters[key] & has)):
                    self.fail("atomic", entry, f"{key} is gone, and nobody after {serial} deleted it")


class Replacements:
    """Copies of what was there already. A commit may be at a slave before it is at the master: of an id that was acknowledged before
    the slave was told to join it is known that its master had it; not of a relay, which may not have read it yet. The order is one of
    those since the slave was in place last."""

    def __init__(self):
        self.acked, self.orders, self.places, self.relays = {}, {}, {}, set()

    def take(self, entry):
        """Whether it is one of those."""
        kind, host = entry["e"], entry.get("host")
        if kind == "acked":
            self.acked[entry["id"]] = entry["t"]
        elif kind == "order" and entry["kind"] == "be-slave":
            self.orders.setdefault(host, []).append((entry["t"], entry["args"][0]))
        elif kind == "order" and entry["kind"] == "be-relay":
            self.relays.add(host)
        elif kind == "event" and entry["name"] == "SLAVE_INITIALIZED":
            self.places.setdefault(host, []).append(entry["t"])
        if kind != "replaced" or entry["old"] != entry["new"] or entry["old"] not in self.acked:
            return False
        before = max((at for at in self.places.get(host, []) if at < entry["since"]), default=-1)
        orders = [(at, master) for at, master in self.orders.get(host, []) if at > before]
        return bool(orders) and self.acked[entry["old"]] < orders[0][0] and not self.relays & {master for _, master in orders}


def check_copies(record):
    quiet, replacements = False, Replacements()
    for entry in record:
        if replacements.take(entry):
            yield Violation("no-needless-copy", entry["t"], f"{entry['host']} copied transaction {entry['old']} over itself")
        quiet = quiet or entry["e"] == "quiet"
        if quiet and entry["e"] == "event" and entry["name"] == "SLAVE_INITIALIZED" and entry["data"] != 0:
            yield Violation("no-needless-copy", entry["t"], f"{entry['host']} copied the data that it had")


def check_events(record):
    """The node's own, in each of its lives as far as we listened."""
    last, nodes, lost = {}, {}, {}
    for entry in record:
        if entry["e"] != "event":
            continue
        host, name, data = entry["host"], entry["name"], entry["data"]
        if name == "SUBSCRIBED":
            last[host], nodes[host], lost[host] = None, {}, False
            continue
        if lost[host] and name != "IS_NONE":
            yield Violation("events", entry["t"], f"{host}: {name} came between NOMASTER and IS_NONE")
        lost[host] = name == "NOMASTER"
        if name in ("IS_NONE", "IS_MASTER", "SLAVE_INITIALIZED"):
            if last[host] == name:
                yield Violation("events", entry["t"], f"{host}: {name} twice, and nothing else between")
            last[host], nodes[host] = name, {}
        elif name in ("SLAVE_ARRIVED", "SLAVE_DIED"):
            if nodes[host].get(data) == name:
                yield Violation("events", entry["t"], f"{host}: {name} of {data} twice")
            nodes[host][data] = name
        elif name == "NOMASTER" and last[host] in ("IS_NONE", "IS_MASTER"):
            yield Violation("events", entry["t"], f"{host}: NOMASTER, and it had none")


def check_signals(record):
    """The service's, in each of its lives."""
    state, nodes, orders, results = {}, {}, collections.Counter(), collections.Counter()
    for entry in record:
        host = entry.get("host")
        if entry["e"] in ("listening", "owner") or (entry["e"] == "started" and entry["kind"] in ("bus", "service")):
            state[host], nodes[host] = None, {}
        elif entry["e"] == "order" and entry["kind"] == "be-slave":
            orders[host] += 1
        elif entry["e"] == "event" and entry["name"] in ("IS_NONE", "IS_MASTER"):
            nodes[host] = {}  # between two statuses, perhaps: then no StateChanged tells of it
        elif entry["e"] == "signal":
            member, args = entry["member"], entry["args"]
            if member == "StateChanged":
                if args[0] == args[1] or state.get(host) not in (None, args[0]):
                    yield Violation("signals", entry["t"], f"{host}: StateChanged from {args[0]} to {args[1]} after {state.get(host)}")
                state[host], nodes[host] = args[1], {}
            elif member in ("SlaveArrived", "SlaveDied"):
                if nodes.setdefault(host, {}).get(args[0]) == member:
                    yield Violation("signals", entry["t"], f"{host}: {member} of {args[0]} twice")
                nodes[host][args[0]] = member
            elif member == "BeSlaveResult":
                results[host] += 1
                if results[host] > orders[host]:
                    yield Violation("signals", entry["t"], f"{host}: more BeSlaveResult than BeSlave")


def sleeps(record):
    """When which process was stopped: host, kind, from, to. A troubled network counts as one of "link", and we as one of
    "harness", both on all hosts."""
    begun, spans, end = {}, [], record[-1]["t"] if record else 0
    for entry in record:
        if entry["e"] == "fault" and entry["what"] == "stop":
            begun.setdefault((entry["host"], entry["kind"]), entry["t"])
        elif entry["e"] == "stalled":
            spans.append(("", "harness", entry["since"], entry["t"]))
        elif entry["e"] == "fault" and entry["kind"] == "link":
            begun.setdefault(("", "link"), entry["t"])
        elif entry["e"] == "healed" and ("", "link") in begun:
            spans.append(("", "link", begun.pop(("", "link")), entry["t"]))
        elif entry["e"] == "fault" and entry["what"] in ("cont", "kill") and (entry["host"], entry["kind"]) in begun:
            spans.append((entry["host"], entry["kind"], begun.pop((entry["host"], entry["kind"])), entry["t"]))
    return spans + [(host, kind, since, end) for (host, kind), since in begun.items()]


def check_deadlines(record):
    for at, text in deadlines.check(record, sleeps(record)):
        yield Violation("answered-in-time", at, text)


def who_is_late(violation):
    """Which host and what kind of call a violation of a deadline is about, whenever it was: in two runs it is the same."""
    words = violation[2].split()
    return violation[0], *(words[:2] if violation[0] == "answered-in-time" else words[:4])


def check_loops(record):
    """Not under a sanitizer: each piece of a message of 8 MiB that comes in has it copy all of it."""
    spans, sanitized = sleeps(record), True
    for entry in record:
        if entry["e"] == "up":
            sanitized = entry["sanitized"]
        elif entry["e"] == "late" and not sanitized and entry["late"] > STILL_SEC and entry["bus"] < QUICK_SEC:
            slept = [span for span in spans if span[0] in (entry["host"], "") and span[1] != "link" and span[2] < entry["t"] and
                     span[3] > entry["since"]]
            if not slept:
                yield Violation("responsive", entry["t"], f"the node of {entry['host']} answered nobody for {entry['late']:.1f} s")


def check_slow(record):
    """A slave that dies of its master's judgement while the link between them is one that has to be endured, nothing has been done
    to either for longer than a silence may last, and neither they nor we stood still for half of that."""
    bad, touched, stills = {}, {}, []
    for entry in record:
        kind, at = entry["e"], entry["t"]
        if kind == "fault" and entry.get("endured"):
            bad.setdefault(tuple(sorted((entry["host"], entry["other"]))), at)
        elif kind in ("order", "fault", "hold", "clock"):
            for name in (entry["host"], entry.get("other"), *entry.get("args", ())):
                touched[name] = at
        elif kind == "whole":
            bad.pop(tuple(entry["pair"]), None)
        elif kind == "healed":
            bad = {}
        elif kind in ("stalled", "late"):
            stills.append((at, at - entry["since"], entry.get("host")))
        elif kind == "event" and entry["name"] == "SLAVE_DIED":
            pair = tuple(sorted((entry["host"], entry["data"])))
            since = max(touched.get(name, -3600) for name in pair)
            still = max(sum(lasted for end, lasted, name in stills if name == host and end > at - 4 * TICK_SEC) for host in (None, *pair))
            if pair in bad and at - since > 5 * TICK_SEC and still < 1.5 * TICK_SEC:
                yield Violation("slow", at, f"{entry['host']} lost {entry['data']} over a link that was slow since {bad[pair]:.2f} s")


def check_holds(record):
    """At each holder: no second event while the first is not acknowledged and not late. At each host: what always follows an event
    follows no later than a hold may last."""
    spans, sanitized, holders, lost, asked = sleeps(record), True, {}, {}, {}

    def slept(host, since, until):
        return sum(max(0, min(until, to) - max(since, begin)) for name, kind, begin, to in spans if kind != "link" and name in (host, ""))

    def is_late(host, since, until):
        return until - since > HOLD_SEC + BUSY_SEC + slept(host, since, until)

    for entry in record:
        kind, host, at = entry["e"], entry.get("host"), entry["t"]
        if kind in ("held", "synced"):
            waiting = holders.setdefault((entry["holder"], entry["life"]), [])
            if kind == "synced":
                del waiting[:1]
                continue
            if waiting and at - waiting[-1] < HOLD_SEC - 1 and at - waiting[0] < HOLD_SEC - 1 and not slept(host, waiting[-1], at):
                yield Violation("holds", at, f"{host}: {entry['name']} came {at - waiting[-1]:.1f} s after another event that "
                                f"{entry['holder']} has not acknowledged")
            waiting.append(at)
        elif kind == "event" and host in lost and is_late(host, lost[host], at):
            yield Violation("holds", at, f"{host}: {entry['name']} came {at - lost.pop(host):.1f} s after NOMASTER")
        elif kind == "ended" and entry["kind"] == "node" and host in lost and is_late(host, lost.pop(host), at):
            yield Violation("holds", at, f"{host}: no IS_NONE came after NOMASTER")
        elif kind == "order":
            asked[host] = at
        elif kind == "status":
            quiet = entry["since"] - asked.get(host, -3600) > HOLD_SEC + BUSY_SEC
            if quiet and at - entry["since"] > STILL_SEC and not sanitized and not slept(host, entry["since"], at):
                yield Violation("holds", at, f"{host}: Status took {at - entry['since']:.1f} s: {entry['error'] or 'no error'}")
        elif kind == "up":
            sanitized = entry["sanitized"]
        if kind == "event":
            lost.pop(host, None)
            if entry["name"] == "NOMASTER":
                lost[host] = at


def check_programs(record):
    for entry in record:
        if entry["e"] == "broken":
            yield Violation("watched", entry["t"], f"{entry['who']} ended with {entry['error']} ({entry['text']}) at {entry['place']}")
        if entry["e"] == "ended" and not entry["expected"] and not (entry["excused"] and 0 < entry["status"] < 64):
            yield Violation("alive", entry["t"], f"the {entry['kind']} of {entry['host']} ended with status {entry['status']}")
        elif entry["e"] == "sanitizer":
            yield Violation("alive", entry["t"], entry["text"])
        elif entry["e"] == "unclean":
            yield Violation("alive", entry["t"], entry["text"])
        elif entry["e"] == "unsettled":
            yield Violation("settles", entry["t"], entry["text"])


def in_sync(shows):
    """Whether it knows that its data is in place, and whose it is."""
    state, master, _, _, how = shows["sync"]
    return (state, how) == (shows["state"], "lasts") and master == (shows["host"] if state == "master" else shows["master"][0])


def check_peace(record):
    """Of each look at the settled cluster, unless a slave that was lost meanwhile has spoiled it: then there is another one."""
    found, first, told = [], None, Told()
    for entry in record:
        if entry["e"] in ("settled", "spoiled"):
            yield from found if entry["e"] == "settled" else ()
            found, first = [], None
        found += [Violation("told", entry["t"], text) for text in told.take(entry)]
        if entry["e"] == "data" and entry["why"] in ("peace", "failover"):
            first = first or entry
            if (entry["id"], entry["marks"], entry["keys"]) != (first["id"], first["marks"], first["keys"]):
                found.append(Violation("peace", entry["t"], f"{entry['host']} does not have the data of {first['host']}"))
        elif entry["e"] == "shows":
            follows = entry["slaves"] if entry["state"] == "master" else [entry["master"]]
            if entry["state"] != entry["property_state"] or entry["state"] != entry["node_state"] or \
                    sorted(map(tuple, entry["nodes"])) != sorted(map(tuple, follows)) or not in_sync(entry):
                found.append(Violation("peace", entry["t"], f"{entry['host']} shows {entry}"))
    yield from found


def clock_windows(record):
    """What the clocks of each host have said while we looked: (from, to), in seconds."""
    begin, end = next((entry["real"] for entry in record if entry["e"] == "up"), 0), record[-1]["t"] if record else 0
    steps = collections.defaultdict(lambda: [(begin, 0)])
    for entry in record:
        if entry["e"] == "clock":
            steps[entry["host"]].append((entry["real"], entry["offset"]))
    windows = collections.defaultdict(lambda: [(begin - CLOCK_SEC, begin + end + CLOCK_SEC)])
    for host, moments in steps.items():
        ends = [real for real, _ in moments[1:]] + [begin + end]
        windows[host] = [(real + offset - CLOCK_SEC, to + offset + CLOCK_SEC) for (real, offset), to in zip(moments, ends)]
    return windows


def check_clocks(record):
    windows, told = clock_windows(record), set()
    for entry in record:
        if entry["e"] == "disturbed":
            yield Violation("clocks", entry["t"], entry["text"])
        sync = entry["sync"] if entry["e"] == "shows" else entry["values"].get("LastInSync") if entry["e"] == "changed" else None
        if not sync or (entry["host"], tuple(sync)) in told:
            continue
        host, (state, _, _, ended, how) = entry["host"], sync
        told.add((host, tuple(sync)))
        if (ended == 0) != (how in ("lasts", "")) or (state == "") != (how == ""):
            yield Violation("clocks", entry["t"], f"{host}: LastInSync is {sync}")
        elif ended and not any(begin <= ended / 1e6 <= end for begin, end in windows[host]):
            yield Violation("clocks", entry["t"], f"{host}: LastInSync has a time that its clock never had: {sync}")


def check_bounds(record):
    for entry in record:
        if entry["e"] == "size" and entry["descriptors"] > DESCRIPTORS_MAX:
            yield Violation("bounded", entry["t"], f"the {entry['kind']} of {entry['host']} has {entry['descriptors']} descriptors")
        elif entry["e"] == "size" and entry["memory"] > MEMORY_MAX:
            yield Violation("bounded", entry["t"], f"the {entry['kind']} of {entry['host']} has {entry['memory']} KiB of memory")


def check(record):
    """All violations, in the order of their moments."""
    found = list(Data(record).check())
    for part in (check_copies, check_events, check_signals, check_deadlines, check_loops, check_holds, check_slow, check_programs, check_peace, check_clocks,
                 check_bounds):
        found += part(record)
    found += [Violation(*found_there) for found_there in (*promises.check(record), *inhibited.check(record, sleeps(record)))]
    return sorted(found, key=lambda violation: violation.at)
