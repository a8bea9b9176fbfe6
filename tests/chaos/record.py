# SPDX-License-Identifier: Apache-2.0
"""Owns the record of a run: what was asked, answered, seen and done to whom, in the order in which we knew of it."""

import collections
import hashlib
import inspect
import json
import re
import time
import traceback

# None is what another value may be torn to: those begin with a digit.
SINGLES = "".join(chr(code) for code in range(1, 127) if not chr(code).isdigit())
SERIAL = re.compile(r"[1-9][0-9]{0,6}", re.ASCII)


class Record:
    """Entries are dictionaries with "t" (seconds from the start) and "e" (what it is; invariants.py knows them all)."""

    def __init__(self):
        self.start = time.monotonic()
        self.clear()

    def clear(self):
        """Nothing has been seen yet; the time goes on."""
        self.entries, self.orders, self.serials, self.readings = [], 0, 0, 0
        self.single = collections.defaultdict(dict)  # by key: whose each value of one byte is

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

    def single_value(self, key, serial):
        """A value of one byte that nobody has written there before, nor will; None if there is none left."""
        written = self.single[key]
        if len(written) == len(SINGLES):
            return None
        value = SINGLES[len(written)]
        written[value] = serial
        return value

    def next_reading(self):
        self.readings += 1
        return self.readings

    async def watch(self, work):
        """Does the work. What ends it is in the record: an end by what was seen, or by a mistake of ours, must not pass for silence."""
        names = inspect.getcoroutinelocals(work)
        who = names.get("host") or names.get("name") or ""
        try:
            return await work
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.add("broken", who=f"{work.__qualname__} {getattr(who, 'name', who)}".strip(), text=" ".join(str(error).split())[:500],
                     error=type(error).__name__, place=f"{place.filename.rpartition('/')[2]}:{place.lineno}: {place.line}")
            raise

    def sort_out(self, host, by, entries):
        """Of what was read there: the marks, and the other keys as {key: [serial, digest]}. What nobody can have written is garbage, and
        in the record as that, wherever it came from."""
        marks, keys = [], {}
        for key, value in entries.items():
            serial = serial_of(value) or self.single.get(key, {}).get(value)
            if key.startswith("/m/"):
                serial = serial if serial is not None and (key, value) == (mark_of(serial), str(serial)) else None
            if serial is None:
                self.add("garbage", host=host, by=by, key=repr(key)[:80], value=repr(value)[:80])
            elif key.startswith("/m/"):
                marks.append(serial)
            else:
                keys[key] = [serial, digest(value)]
        return marks, keys

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
    """Whose value it is, as it says; None: nobody's, it is torn or of something else."""
    head = value.split(".", 1)[0] if isinstance(value, str) else ""
    return int(head) if SERIAL.fullmatch(head) else None
