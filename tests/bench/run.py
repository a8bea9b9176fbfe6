#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what ./bench is asked for, and puts what came of it where it belongs. See ./bench --help."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time

import commits
import copies
import lab
import measure
import plots
import scale
import service

DIRECTORY = f"{lab.TOP}/docs/bench"
RESULTS = f"{DIRECTORY}/results.json"
MARKS = ("<!-- ./bench writes from here -->", "<!-- to here -->")
SCALE = f"{DIRECTORY}/scale.json"
SCALE_MARKS = ("<!-- ./bench --keep scale writes from here -->", "<!-- to here, of scale -->")

LIMIT = 200  # seconds, of one bench
LIMIT_SCALE = 900

# In the order in which they run and are told.
BENCHES = [
    ("bus", service.bus, "the service's calls against Peer.Ping"),
    ("order", service.order, "an order over D-Bus against the same through the blocking library"),
    ("event", service.event, "an event of ConfD until a subscriber has it; 20,000 of them a second"),
    ("start", service.start, "exec to READY against systemd's small daemons"),
    ("status", service.status, "a status of 255 nodes against Erlang's own C library"),
    ("ctl", service.ctl, "confd-hactl status against busctl"),
    ("idle", service.idle, "memory and wakeups of the idle service"),
    ("commits", commits.commits, "durable commits of a master with two slaves against etcd and Redis"),
    ("slaves", commits.slaves, "the latency of a commit with up to 254 slaves"),
    ("failover", commits.failover, "BeMaster at a slave until its first acknowledged write"),
    ("copy", copies.copy, "the initial copy of 256 MiB against Redis, TCP and the disk"),
    ("copy-load", copies.copy_under_load, "the same while the master commits"),
    ("memory", copies.memory, "the node's memory: idle, for each slave, during a copy of 2 GiB"),
]
# By its name only: it takes as long as all the others.
APART = ("scale", scale.scale, "2 to 254 slaves, and a database of up to 2 GiB in values of 8 MiB; not a part of the whole")


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return (done.stdout.splitlines() or [""])[0]
    except OSError:
        return "not there"


def machine():
    """What this ran on, and with what."""
    model, memory = "", 0
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(next(line.split()[1] for line in file if line.startswith("MemTotal")))
    return {
        "processors": f"{os.cpu_count()} x {model}",
        "memory": f"{memory / 2**20:.0f} GiB",
        "disk": first_line("findmnt", "-no", "FSTYPE", "-T", lab.TOP),
        "kernel": platform.release(),
        "virtual": first_line("systemd-detect-virt"),
        "compiler": first_line("gcc", "--version"),
        "systemd": first_line("busctl", "--version"),
        "bus": first_line("dbus-daemon", "--version"),
        "etcd": first_line("etcd", "--version"),
        "redis": first_line("redis-server", "--version").split(" sha=")[0],
        "commit": first_line("git", "-C", lab.TOP, "rev-parse", "--short", "HEAD"),
        "load": " ".join(f"{x:.1f}" for x in os.getloadavg()),
    }


def replace_between(path, text, marks=MARKS):
    """What stands between the two marks of a page."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    begin, end = (page.find(mark) for mark in marks)
    if begin < 0 or end < begin:
        raise lab.Failed(f"{path} lacks the marks: {' ... '.join(marks)}")
    page = page[:begin + len(marks[0])] + "\n" + text.strip() + "\n" + page[end:]
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


def told(results):
    m = results["machine"]
    return (f"Measured on {results['date']}: {m['processors']}, {m['memory']}, {m['disk']}, Linux {m['kernel']}"
            f"{'' if m['virtual'] == 'none' else ' (a virtual machine)'}; {m['etcd']}, {m['redis']}, {m['systemd']}, {m['bus']}; "
            f"load averages {m['load']} before the run. {len(results['rows'])} rows in {results['seconds'] / 60:.0f} minutes.")


PICTURES = [("ratios", "All ratios against what is wanted"), ("commits", "Commits a second"), ("slaves", "Latency by the number of slaves")]


def pictures(directory, wanted):
    return "".join(f"\n\n![{words}]({directory}/{name}.svg)" for name, words in wanted if os.path.exists(f"{DIRECTORY}/{name}.svg"))


def write_pages(results):
    rows = results["rows"]
    replace_between(f"{lab.TOP}/docs/performance.md", told(results) + "\n\n" + measure.markdown(rows) + pictures("bench", PICTURES))
    short = [row for row in rows if row["name"] in service.SHOWN + commits.SHOWN + copies.SHOWN]
    replace_between(f"{lab.TOP}/README.md", measure.markdown(short) + pictures("docs/bench", PICTURES[:1]))


def write_json(path, results):
    os.makedirs(DIRECTORY, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def results_of(rows, seconds):
    return {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "seconds": seconds, "rows": [row.as_json() for row in rows]}


def keep_scale(rows, seconds):
    results = results_of(rows, seconds)
    write_json(SCALE, results)
    names = plots.scale(results["rows"], DIRECTORY)
    replace_between(f"{lab.TOP}/docs/performance.md", told(results) + "".join(
        f"\n\n{measure.markdown_series(results['rows'], bench, head)}\n\n![{words}](bench/{name}.svg)" for bench, head, words, name in names),
        SCALE_MARKS)


def keep(rows, seconds, whole):
    """Into docs/bench: all that was measured in one run, or some rows in the place of those of the same bench."""
    results = results_of(rows, seconds)
    if not whole and os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as file:
            before = json.load(file)
        new = {row.bench for row in rows}
        order = [name for name, *_ in BENCHES]
        merged = [row for row in before["rows"] if row["bench"] not in new] + results["rows"]
        results["rows"] = sorted(merged, key=lambda row: order.index(row["bench"]))
        results["seconds"] = max(before["seconds"], seconds)
    write_json(RESULTS, results)
    plots.draw(results["rows"], DIRECTORY)
    write_pages(results)


def too_long(*_):
    raise lab.Failed("it takes too long")


def run(benches, build):
    rows, problems = [], []
    # Whoever ends us wants the nodes to end, too; and a machine too slow for one of them is to get on with the others.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGALRM, too_long)
    for name, function, about in benches:
        print(f"\n== {name}: {about}", flush=True)
        begun = time.monotonic()
        try:
            with lab.Lab(build) as place:
                signal.alarm(LIMIT_SCALE if name == APART[0] else LIMIT)
                try:
                    new = function(place)
                finally:
                    signal.alarm(0)
        except (lab.Failed, OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"   not measured: {error}", flush=True)
            problems.append(name)
            continue
        rows += new
        print(measure.text([row.as_json() for row in new]))
        print(f"   ({time.monotonic() - begun:.0f} s)", flush=True)
    return rows, problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        for name, _, about in [*BENCHES, APART]:
            print(f"{name:10} {about}")
        return 0
    known = {name for name, *_ in [*BENCHES, APART]}
    for name in arguments.names:
        if name not in known:
            print(f"bench: {name} is none of {', '.join(sorted(known))}", file=sys.stderr)
            return 2
    whole = not arguments.names
    begun = time.monotonic()
    rows, problems = run([bench for bench in BENCHES if whole or bench[0] in arguments.names], arguments.build)
    seconds = time.monotonic() - begun
    if rows and (whole or arguments.keep):
        keep(rows, seconds, whole and not problems)
    if APART[0] in arguments.names:
        curves, not_drawn = run([APART], arguments.build)
        if curves and arguments.keep and not not_drawn:
            keep_scale(curves, time.monotonic() - begun - seconds)
        seconds, rows, problems = time.monotonic() - begun, rows + curves, problems + not_drawn
    if rows and (whole or arguments.keep):
        print(f"\nIn {DIRECTORY}, docs/performance.md and README.md.")
    print(f"\n{len(rows)} rows in {seconds / 60:.1f} minutes" + (f"; not measured: {', '.join(problems)}" if problems else ""))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
