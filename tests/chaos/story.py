# SPDX-License-Identifier: Apache-2.0
"""Owns stories: records that are told in a few words, to see what invariants say of them."""

import invariants

CASES = []


def case(function):
    CASES.append(function)
    return function


class Story:
    """A record that is told in a few words."""

    def __init__(self):
        self.record, self.n, self.waited = [], 0, 0
        self.add("up", sanitized=False, measured=True, real=1e9)
        for host in ("n1", "n2", "n3"):
            self.add("event", host=host, boot=1, name="SUBSCRIBED", data=None)

    def add(self, entry_kind, **fields):
        self.record.append({"t": round(self.waited + len(self.record) * 0.01, 4), "e": entry_kind, **fields})
        return self

    def later(self, seconds=10):
        """The next entry comes so much later."""
        self.waited += seconds
        return self

    def order(self, host, kind, *args, error="", silent=False):
        self.n += 1
        self.add("order", n=self.n, host=host, kind=kind, args=list(args), by="service", boots={"node": 1})
        if kind == "be-slave" and not error and not silent:
            self.add("event", host=host, boot=1, name="IS_NONE", data=0)
            self.add("event", host=host, boot=1, name="SLAVE_INITIALIZED", data=0)
        return self.add("answer", n=self.n, host=host, error=error, text="")

    def write(self, serial, host="n1", error=None, keys=(), gone=()):
        sets = {f"/m/{serial}": "m", **{key: f"{key} {serial}" for key in keys}}
        self.add("write", serial=serial, host=host, boot=1, sets=sets, gone=list(gone))
        return self.add("failed", serial=serial, error=error) if error else self.add("acked", serial=serial, id=f"id{serial}")

    def look(self, host, ident, marks, keys=None, why="look", joining=False):
        self.add("asking", host=host)
        return self.add("data", host=host, boot=1, id=ident, marks=marks, keys=keys or {}, why=why, joining=joining, asked=self.record[-1]["t"])

    def read(self, *who, **found):
        """By a reader at that host (n1), while a transaction of that serial is committed."""
        host, number = next((name for name in who if isinstance(name, str)), "n1"), len(self.record)
        self.add("reading", n=number, host=host, boot=1)
        for serial in who:
            if not isinstance(serial, str):
                self.write(serial)
        if found.get("serial"):
            found = {"value": f"{found['key']} {found['serial']}", **found}
        return self.add("read", n=number, host=host, boot=1, **found)

    def event(self, name, host="n1", data=0):
        return self.add("event", host=host, boot=1, name=name, data=data)

    def cluster(self):
        return self.order("n1", "be-master").order("n2", "be-slave", "n1")

    def breaks(self, *expected):
        assert {violation.invariant for violation in invariants.check(self.record)} == set(expected), invariants.check(self.record)
