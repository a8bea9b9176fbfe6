# SPDX-License-Identifier: Apache-2.0
"""Owns what a host must have: a lower bound of the transactions in its data, by what was acknowledged and who followed whom.

Sets of transactions are numbers with a bit for each serial. What a host is known to have can only grow, until it may have been
given other data: from the moment when a be-slave is ordered until it is known how that ended, nothing is known of it. All that
is claimed here follows from the model: a slave that has arrived has all that was acknowledged before, and a commit is
acknowledged when all live slaves have it. A slave counts as live from its arrival until the first thing that might have cut it
off: a fault or an order of its own or its master's. One that died of itself is given the time in which that was noticed. """

LOOKBACK_SEC = 3.5
EVENT_SEC = 1
DATA_AS_BEFORE = {"org.confd.HA.Error." + name for name in ("Connect", "Closed", "BadSchema", "BadToken", "BadName", "BadVersion")}
TOLD_BY_CONFD = DATA_AS_BEFORE | {"org.confd.HA.Error." + name for name in ("Aborted", "BadState", "NoTick", "Bind", "BadConfig", "WithUpgrade")}


class Host:
    """What is known of one host."""

    def __init__(self):
        self.known = 0
        self.before = None   # what was known when the first of the pending orders came; None: more than one has come since
        self.pending = {}    # number of a be-slave whose end is not known: [by, master, what the master was known to have]
        self.follows = None  # (master, boot of the master)
        self.relayed = False  # since it got its data last
        self.seen = 0         # of what is known, what was only seen there since then: its slaves may have it still to come
        self.epoch = 0       # grows when it may get other data


class Lineage:
    """Follows the record, entry by entry."""

    def __init__(self, record):
        self.hosts = {}
        self.writes = {}   # serial: its entry, with "base" added: what the data had before it, at least
        self.open = {}     # serials that may still be committed, by host and boot
        self.orders = {}
        self.asking, self.readings = {}, {}
        self.answered, self.errors = set(), {}  # numbers of orders
        self.troubles = self.find_troubles(record)
        self.initialized, self.subscribed, self.losses, self.answers = self.find_joins(record)
        self.copies = {}
        for entry in record:
            if entry["e"] == "event" and (entry["name"] == "SUBSCRIBED" or entry["name"] == "SLAVE_INITIALIZED" and entry["data"]):
                self.copies.setdefault(entry["host"], []).append(entry["t"])

    def host(self, name):
        return self.hosts.setdefault(name, Host())

    @staticmethod
    def find_troubles(record):
        """When somebody was cut off without anything having been done to either: by the slave's name, sorted."""
        troubles, touched = {}, {}
        for entry in record:
            if entry["e"] in ("order", "fault"):
                touched[entry["host"]] = entry["t"]
                if entry.get("other"):
                    touched[entry["other"]] = entry["t"]
            elif entry["e"] == "event" and entry["name"] in ("NOMASTER", "SLAVE_DIED"):
                slave = entry["host"] if entry["name"] == "NOMASTER" else entry["data"]
                since = max(touched.get(entry["host"], -1), touched.get(slave, -1))
                troubles.setdefault(slave, []).append((max(since, entry["t"] - LOOKBACK_SEC), entry["t"]))
        return troubles

    @staticmethod
    def find_joins(record):
        """When each host said that its data was in place, when we began to listen to it, when it and its master lost each other, and
        when each order was answered."""
        initialized, subscribed, losses, answers = {}, {}, {}, {}
        places = {"SLAVE_INITIALIZED": initialized, "SUBSCRIBED": subscribed, "NOMASTER": losses, "SLAVE_DIED": losses}
        for entry in record:
            if entry["e"] == "event" and entry["name"] in places:
                host = entry["data"] if entry["name"] == "SLAVE_DIED" else entry["host"]
                places[entry["name"]].setdefault(host, []).append(entry["t"])
            elif entry["e"] == "answer":
                answers[entry["n"]] = entry["t"]
        return initialized, subscribed, losses, answers

    def was_lost(self, name, number):
        """Whether it may have lost its master again before the answer was here."""
        begin, end = self.orders[number]["t"], self.answers.get(number, 0) + EVENT_SEC
        return any(begin <= at <= end for at in self.losses.get(name, []))

    def changed_nothing(self, name, number):
        """Whether a be-slave that succeeded found a plain slave of that master and changed nothing: True, False, or None if we
        were not listening all the time. Events and answers come on different ways."""
        begin, end = self.orders[number]["t"], self.answers.get(number, 0) + EVENT_SEC
        if any(begin <= at <= end for at in self.initialized.get(name, [])):
            return False
        heard = [at for at in self.subscribed.get(name, []) if at <= end]
        return True if heard and heard[-1] < begin else None

    def in_trouble(self, slave, at):
        return any(begin < at <= end for begin, end in self.troubles.get(slave, []))

    # ---- who follows whom ----

    def unfollow(self, name, master=None):
        host = self.host(name)
        if host.follows and master in (None, host.follows[0]):
            host.follows = None

    def desert(self, master):
        """Nobody follows it any more, nor does who is joining it: when that is told may depend on who is waited for."""
        for name, host in self.hosts.items():
            self.unfollow(name, master)
            for number, (_, joined, _) in host.pending.items():
                if joined == master:
                    self.orders[number]["touched"] = True

    def other_data(self, name):
        """It may get other data from here on."""
        host = self.host(name)
        host.known = host.seen = 0
        host.relayed = False
        host.epoch += 1
        for (at, _), serials in self.open.items():
            if at == name:
                for serial in serials:
                    self.writes[serial]["base"] = 0
        for other in self.hosts.values():
            for order in other.pending.values():
                if order[1] == name:
                    order[2] = 0
                    other.known = 0

    # ---- entries ----

    def take(self, entry):
        handler = getattr(self, "on_" + entry["e"], None)
        if handler:
            handler(entry)

    def on_write(self, entry):
        host = self.host(entry["host"])
        self.writes[entry["serial"]] = {**entry, "base": 0 if host.pending else host.known, "epoch": host.epoch}
        self.open.setdefault((entry["host"], entry["boot"]), set()).add(entry["serial"])

    def on_failed(self, entry):
        self.writes[entry["serial"]]["error"] = entry["error"]

    def on_acked(self, entry):
        write = self.writes[entry["serial"]]
        name, bit = write["host"], 1 << entry["serial"]
        write["id"] = entry["id"]
        self.open.get((name, write["boot"]), set()).discard(entry["serial"])
        if self.host(name).epoch != write["epoch"]:  # an answer on its way for so long that other data is there
            return
        if not self.host(name).pending:
            self.has(self.host(name), bit)
        self.spread(name, write["boot"], bit, entry["t"], set())

    @staticmethod
    def has(host, bit):
        host.known |= bit
        host.seen &= ~bit

    def spread(self, master, boot, bit, at, seen):
        for name, host in list(self.hosts.items()):
            if name not in seen and host.follows == (master, boot) and not host.pending and not self.in_trouble(name, at):
                self.has(host, bit)
                self.spread(name, self.boot(name), bit, at, seen | {name})

    def settled(self, name):
        """What whoever joins it must have: what it is known to have, but for what is under way, which a look at it may have shown
        before it is acknowledged. What a relay still had to pass on when it left its master, that master acknowledged without it."""
        known = self.host(name).known & ~self.host(name).seen
        for serials in self.open.values():
            for serial in serials:
                known &= ~(1 << serial)
        return known

    def boot(self, name):
        return max((boot for host, boot in self.open if host == name), default=1)

    def on_order(self, entry):
        name, host = entry["host"], self.host(entry["host"])
        self.orders[entry["n"]] = entry
        if entry["kind"] == "slave-dead":
            self.unfollow(entry["args"][0], name)
            self.unfollow(name, entry["args"][0])
            return
        entry["followed"] = host.follows
        host.relayed |= entry["kind"] == "be-relay"
        if entry["kind"] != "be-relay":
            self.unfollow(name)
        if entry["kind"] in ("be-none", "be-slave"):
            self.desert(name)
        if entry["kind"] == "be-slave":
            host.before = host.known if not host.pending else None
            self.other_data(name)
            master = self.host(entry["args"][0])
            host.pending[entry["n"]] = [entry["by"], entry["args"][0], 0 if master.pending else self.settled(entry["args"][0])]
            entry["touched"] = False

    def on_answer(self, entry):
        self.answered.add(entry["n"])
        self.errors[entry["n"]] = entry["error"]
        order = self.orders[entry["n"]]
        name, host = order["host"], self.host(order["host"])
        if order["kind"] == "be-slave":
            if not entry["error"] and "nowait" not in order["args"]:
                self.joined(name, entry["n"])
            elif entry["error"] in DATA_AS_BEFORE and list(host.pending) == [entry["n"]] and host.before is not None:
                host.known = host.before
                del host.pending[entry["n"]]
        elif order["kind"] in ("be-master", "be-none") and not entry["error"]:
            self.forget(host, entry["n"], order["by"])

    @staticmethod
    def forget(host, number, by):
        """Orders that came before this one, by the same way, have ended."""
        for other in [n for n, pending in host.pending.items() if n < number and pending[0] == by]:
            del host.pending[other]

    def joined(self, name, number, initialized=False):
        """A be-slave has succeeded. initialized: it is the node that says so, long after the order was answered, perhaps."""
        host = self.host(name)
        if number not in host.pending:
            return
        by, master, known = host.pending.pop(number)
        only, nothing = not host.pending, False if initialized else self.changed_nothing(name, number)
        self.forget(host, number, by)
        if host.pending or nothing is None:
            return
        if nothing:
            if only and host.before is not None:
                host.known = host.before
                host.follows = None if self.orders[number].get("touched") or self.was_lost(name, number) else self.orders[number]["followed"]
            return
        host.known = known
        if not self.orders[number].get("touched") and not self.was_lost(name, number) and not self.host(master).pending:
            host.known |= self.settled(master)
            host.follows = (master, self.orders[number].get("master_boot", self.boot(master)))

    def on_event(self, entry):
        name = entry["host"]
        if entry["name"] in ("NOMASTER", "IS_NONE", "IS_MASTER"):
            self.unfollow(name)
        elif entry["name"] == "SLAVE_DIED":
            self.unfollow(entry["data"], name)
        elif entry["name"] == "SLAVE_ARRIVED":
            slave = self.host(entry["data"])
            if slave.pending and all(order[1] == name for order in slave.pending.values()):
                slave.known |= min((order[2] for order in slave.pending.values()), key=lambda known: known.bit_count())
        elif entry["name"] == "SLAVE_INITIALIZED" and len(self.host(name).pending) == 1:
            (number,) = self.host(name).pending
            if "nowait" in self.orders[number]["args"] and self.orders[number]["boots"]["node"] == entry["boot"]:
                self.joined(name, number, initialized=True)

    def on_fault(self, entry):
        name = entry["host"]
        if entry["kind"] == "link":
            self.unfollow(name, entry["other"])
            self.unfollow(entry["other"], name)
        elif entry["kind"] in ("node", "disk"):
            self.unfollow(name)
            if entry["what"] in ("stop", "full", "no inodes"):
                self.desert(name)
        touched = {name, entry.get("other")}
        for host_name, host in self.hosts.items():
            for number, (_, master, _) in host.pending.items():
                if entry["kind"] in ("node", "disk", "link") and touched & {host_name, master}:
                    self.orders[number]["touched"] = True

    def on_started(self, entry):
        if entry["kind"] == "node":
            for (name, boot) in [key for key in self.open if key[0] == entry["host"]]:
                if boot < entry["boot"]:
                    self.pass_on(self.open.pop((name, boot)))
            self.open.setdefault((entry["host"], entry["boot"]), set())
            self.outlive(entry)

    def pass_on(self, serials):
        """What nobody has answered when the node starts anew may have been on its way still, and be for this life: one of 8 MiB takes
        its time to the bus, and the bus gives it to whoever has the name then. What is in the data before it nobody knows."""
        for serial in serials:
            if not {"id", "error"} & self.writes[serial].keys():
                self.writes[serial]["base"] = 0

    def outlive(self, started):
        """What was ordered in an earlier life of a node, and answered then, is done no more: it has what it has."""
        host = self.host(started["host"])
        for number in [n for n in host.pending if self.orders[n]["boots"]["node"] < started["boot"] and n in self.answered]:
            del host.pending[number]
            host.epoch += 1

    def now(self, name):
        """What a host must have, and when it got other data last: -1 while it may be getting some."""
        host = self.host(name)
        return host.known, host.epoch if not host.pending else -1

    def on_asking(self, entry):
        self.asking[entry["host"], entry["t"]] = self.now(entry["host"])

    def on_reading(self, entry):
        self.readings[entry["n"]] = self.now(entry["host"])

    def read(self, entry):
        """What an answer must have had at least, or None if the host may have got other data meanwhile."""
        known, epoch = self.readings.pop(entry["n"])
        return known if epoch == self.host(entry["host"]).epoch else None

    def on_signal(self, entry):
        """The end of a be-slave that failed, if it is sure which one's: what is told after all have been accepted, or have ended, is
        about the last one; a service that tells of an earlier one does so before it answers that, and is heard before that."""
        host = self.host(entry["host"])
        ours = [number for number, order in host.pending.items() if order[0] == "service"]
        if entry["member"] != "BeSlaveResult" or entry["args"][0] not in TOLD_BY_CONFD or not ours or not self.answered >= set(host.pending):
            return
        number, only = max(ours), len(host.pending) == 1
        if number != max(host.pending) or "nowait" not in self.orders[number]["args"] or self.errors[number]:
            return
        self.forget(host, number + 1, "service")
        if entry["args"][0] in DATA_AS_BEFORE and only and host.before is not None:
            host.known = host.before

    def is_of_one_moment(self, entry):
        """Whether all that was read is the data of its id, whatever was under way: one that has copied twice meanwhile can have been
        there, at another transaction, and at the first one again. Who copies says so when it has, unless we were not listening."""
        begin, end = entry["asked"], entry["t"] + EVENT_SEC
        return not entry["joining"] and not any(begin <= at <= end for at in self.copies.get(entry["host"], []))

    def is_sure(self, entry):
        """Whether it is known what the data that was read must have: nothing is of one that may have copied meanwhile."""
        return self.asking[entry["host"], entry["asked"]][1] == self.host(entry["host"]).epoch

    def required(self, entry):
        """What the data that was read must have at least."""
        return self.asking[entry["host"], entry["asked"]][0]

    def learned(self, entry, has):
        host = self.host(entry["host"])
        if not host.pending:
            host.seen |= has & ~host.known if host.relayed else 0
            host.known |= has
