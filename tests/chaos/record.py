# SPDX-License-Identifier: Apache-2.0
"""Owns the record of a run: what was asked, answered, seen and done to whom, in the order in which we knew of it."""

import hashlib
import json
import time


class Record:
    """Entries are dictionaries with "t" (seconds from the start) and "e" (what it is; invariants.py knows them all)."""

    def __init__(self):
        self.start = time.monotonic()
        self.clear()

    def clear(self):
        """Nothing has been seen yet; the time goes on."""
        self.entries, self.orders, self.serials, self.readings = [], 0, 0, 0

    def now(self):
        return time.monotonic() - self.start

    def add(self, entry_kind, **fields):
        entry = {"t": round(self.now(), 4), "e": entry_kind, **fields}
        self.entries.append(entry)
        return entry

    def next_order(self):
        self.orders += 1
        return self.orders

    def next_serial(self):
        self.serials += 1
        return self.serials

    def next_reading(self):
        self.readings += 1
        return self.readings

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            for entry in self.entries:
                out.write(json.dumps(entry) + "\n")


def digest(value):
    return hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def mark_of(serial):
    """The key that only this transaction sets: who has it has the transaction. In the order of the serials."""
    return f"/m/{serial:07}"


def value_of(serial, size):
    """The value that a transaction writes: it tells whose it is, and no two transactions write the same."""
    head = f"{serial}."
    unit = f"{serial:x}~"
    return head + (unit * (size // len(unit) + 1))[:max(0, size - len(head))]


def serial_of(value):
    return int(value.split(".", 1)[0])
