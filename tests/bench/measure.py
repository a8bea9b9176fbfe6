# SPDX-License-Identifier: Apache-2.0
"""What was measured: rows of paired runs, their medians and quartiles, and how they look in a table and in JSON."""

import statistics


def quartiles(values):
    """The lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, middle, upper


class Row:
    """Ours against another, in pairs of runs that took turns.

    kind "rate": more is better, and the ratio is how many times theirs we do. kind "cost" (a time, a size): less is better, and
    the ratio is how many times theirs it takes. The pairs are (ours, theirs) in `unit`, both of the same kind: of a rate they
    may also be given as times (`inverse`), and the ratio is then theirs by ours.
    reach: the ratio that we want; None where there is none.
    """

    def __init__(self, bench, name, what, against, kind, unit, pairs, reach=None, inverse=False, note="", x=None):
        self.bench, self.name, self.what, self.against = bench, name, what, against
        self.kind, self.unit, self.reach, self.note, self.x = kind, unit, reach, note, x
        self.pairs = [(float(a), float(b)) for a, b in pairs]
        ratios = [(b / a if inverse else a / b) for a, b in self.pairs]
        self.lower, self.ratio, self.upper = quartiles(ratios)
        self.ours = statistics.median(a for a, _ in self.pairs)
        self.theirs = statistics.median(b for _, b in self.pairs)

    def reached(self):
        if self.reach is None:
            return None
        return self.ratio >= self.reach if self.kind == "rate" else self.ratio <= self.reach

    def as_json(self):
        return {
            "bench": self.bench, "name": self.name, "what": self.what, "against": self.against, "kind": self.kind,
            "unit": self.unit, "ours": self.ours, "theirs": self.theirs, "ratio": self.ratio, "quartiles": [self.lower, self.upper],
            "pairs": self.pairs, "reach": self.reach, "reached": self.reached(), "note": self.note, "x": self.x,
        }


class Plain:
    """A figure that has nothing to be compared with: its median and quartiles, in `unit`, and at most `reach`."""

    def __init__(self, bench, name, what, unit, values, reach=None, note="", x=None):
        self.bench, self.name, self.what, self.unit, self.values = bench, name, what, unit, [float(v) for v in values]
        self.reach, self.note, self.x = reach, note, x
        self.lower, self.middle, self.upper = quartiles(self.values)

    def reached(self):
        return None if self.reach is None else self.middle <= self.reach

    def as_json(self):
        return {
            "bench": self.bench, "name": self.name, "what": self.what, "against": None, "unit": self.unit, "ours": self.middle,
            "quartiles": [self.lower, self.upper], "values": self.values, "reach": self.reach, "reached": self.reached(),
            "note": self.note, "x": self.x,
        }


# ---- as text ----


def figure(value):
    """Three digits, as people write them."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def of_json(row):
    """The cells of a row's line. From JSON, so that rows of an earlier run look the same."""
    unit = row["unit"]
    ours = f"{figure(row['ours'])} {unit}"
    lower, upper = (figure(v) for v in row["quartiles"])
    if row["against"] is None:
        mark = "" if row["reach"] is None else f"at most {figure(row['reach'])} {unit}"
        return [row["what"], "", ours, "", f"({lower} to {upper} {unit})", mark]
    mark = ""
    if row["reach"] is not None:
        mark = ("at least " if row["kind"] == "rate" else "at most ") + figure(row["reach"])
    return [row["what"], row["against"], ours, f"{figure(row['theirs'])} {unit}",
            f"**{figure(row['ratio'])}** ({lower} to {upper})", mark]


HEAD = ["what", "against", "ours", "theirs", "ratio (quartiles)", "wanted"]


def reached_mark(row):
    return {None: "", True: " ✓", False: " ✗"}[row["reached"]]


def markdown(rows):
    lines = ["| " + " | ".join(HEAD) + " |", "| " + " | ".join("---" for _ in HEAD) + " |"]
    for row in rows:
        cells = of_json(row)
        cells[-1] += reached_mark(row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def text(rows):
    table = [HEAD] + [of_json(row) for row in rows]
    for cells, row in zip(table[1:], rows):
        cells[-1] += reached_mark(row)
        cells[-2] = cells[-2].replace("**", "")
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


# ---- of one thing by another ----


def series(rows, bench):
    """What has an x: for each figure its words, its unit, and the values by x. Names end in the x, words in a comma and what it is."""
    found = {}
    for row in rows:
        if row["bench"] == bench:
            name, words = row["name"].rsplit("-", 1)[0], row["what"].rsplit(", ", 1)[0]
            found.setdefault(name, (words, row["unit"], {}))[2][row["x"]] = row["ours"]
    return found


def markdown_series(rows, bench, head):
    found = series(rows, bench)
    xs = sorted({x for _, _, values in found.values() for x in values})
    lines = [f"| {head} | " + " | ".join(str(x) for x in xs) + " |", "| --- | " + " | ".join("---" for _ in xs) + " |"]
    for words, unit, values in found.values():
        lines.append(f"| {words} | " + " | ".join(f"{figure(values[x])} {unit}" if x in values else "" for x in xs) + " |")
    return "\n".join(lines)
