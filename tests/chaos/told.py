# SPDX-License-Identifier: Apache-2.0
"""Owns what the services must have told by the time when there is peace: nothing is left out.

The result of each BeSlave is counted, at least: one that is equal to the one under way joins it, so of those that follow each other
with the same master one result is demanded, and one more for each that is given when as many results are here, or one of them is
answered with its end. An order that was not answered as if ConfD had it may have been none. What signals have told of a service since it began adds up to what its Status says. """

from lineage import TOLD_BY_CONFD

OUTCOMES = TOLD_BY_CONFD | {"", "org.confd.HA.Error.Superseded"}  # of who did not wait, and of who did: the order has been one
NEVER = float("inf")
BEGINNING = {"State": "unknown", "Slaves": [], "Master": ["", ""], "StateChanged": "unknown"}


def plain(value):
    """Without the difference between what is a list and what is a tuple."""
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


class Service:
    """What has been heard of the service of one host in this life of it, as far as we have listened."""

    def __init__(self):
        self.listening = False
        self.begin(known=False)

    def begin(self, known):
        self.values = dict(BEGINNING) if known else {}
        self.arrived = None  # who has, since it became master; None: that is not known
        self.orders, self.results = [], 0

    def owed(self, answers):
        """How many results there must have been."""
        groups, master, ended = 0, None, NEVER
        for number, kind, args, results, given in self.orders:
            error, answered = answers.get(number, (None, NEVER))
            if kind in ("be-master", "be-none") and error == "":
                master = None
            elif kind == "be-slave" and error in OUTCOMES:
                if args[0] != master or results >= groups or given > ended:
                    groups, master, ended = groups + 1, args[0], NEVER
                if error or "nowait" not in args:
                    ended = min(ended, answered)
        return groups

    def take_signal(self, member, args):
        if member == "BeSlaveResult":
            self.results += 1
        elif member == "StateChanged":
            self.arrived = set() if args[1] == "master" and args[0] in ("none", "slave") else None
            self.values["StateChanged"] = args[1]
        elif member == "SlaveArrived" and self.arrived is not None:
            self.arrived.add(args[0])
        elif member == "SlaveDied" and self.arrived is not None:
            self.arrived.discard(args[0])

    def differs(self, shows):
        """What it has told that is not so."""
        follows = shows["state"] in ("slave", "slave-relay")
        is_so = {"State": shows["state"], "StateChanged": shows["state"], "LastInSync": shows["sync"],
                 "Slaves": shows["nodes"] if shows["state"] == "master" else shows["slaves"],
                 "Master": shows["nodes"][0] if follows and shows["nodes"] else ["", ""]}
        for name, value in self.values.items():
            told, seen = (sorted(plain(what)) if name == "Slaves" else plain(what) for what in (value, is_so[name]))
            if told != seen:
                yield f"{name} is {seen}, and what was told last is {told}"
        if self.arrived is not None and shows["state"] == "master" and self.arrived != {node[0] for node in shows["nodes"]}:
            yield f"its slaves are {plain(shows['nodes'])}, and arrived, and not died, have {sorted(self.arrived)}"


class Told:
    """Follows the record."""

    def __init__(self):
        self.services, self.answers, self.entries = {}, {}, 0

    def take(self, entry):
        """Returns what has not been told, as texts, if this is when it must have been."""
        kind, host = entry["e"], entry.get("host")
        self.entries += 1
        service = self.services.setdefault(host, Service())
        if kind == "order" and entry["by"] == "service":
            service.orders.append((entry["n"], entry["kind"], entry["args"], service.results, self.entries))
        elif kind == "answer":
            self.answers[entry["n"]] = (entry["error"], self.entries)
        elif kind == "signal":
            service.take_signal(entry["member"], entry["args"])
        elif kind == "changed":
            service.values.update(entry["values"])
        elif kind == "event" and entry["name"] == "IS_NONE":
            service.arrived = None  # between two statuses, perhaps: then no StateChanged tells of it
        elif kind in ("started", "ended") and entry["kind"] == "bus":
            service.listening = False
            service.begin(known=False)
        elif kind == "listening":
            service.listening = True
            service.begin(known=False)
        elif (kind == "started" and entry["kind"] == "service") or (kind == "owner" and not entry["there"]):
            service.begin(known=service.listening)
        elif kind == "shows":
            return [f"{host}: {text}" for text in service.differs(entry)]
        elif kind == "settled":
            return [f"{name}: {service.owed(self.answers)} orders to be slave were accepted, and {service.results} results were told"
                    for name, service in self.services.items() if service.listening and service.results < service.owed(self.answers)]
        return []
