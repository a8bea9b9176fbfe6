#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is preloaded: the disk loses what it may and nothing else, calls fail that are to, and a clock is stepped for all. TAP.

test-shims.py CLOCK [PRELOAD]
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
sys.dont_write_bytecode = True

import powerloss  # noqa: E402
import tap  # noqa: E402

PROGRAM = """
import os
d = os.environ["CHAOS_DATA"]
dir = os.open(d, os.O_RDONLY | os.O_DIRECTORY)
f = os.open(d + "/file", os.O_RDWR | os.O_CREAT, 0o600)
os.pwrite(f, b"a" * 8192, 0)
os.fsync(f)
os.fsync(dir)
os.pwrite(f, b"b" * 4096, 4096)
os.pwrite(f, b"c" * 4096, 8192)
g = os.open(d + "/new", os.O_WRONLY | os.O_CREAT, 0o600)
os.pwrite(g, b"new", 0)
os.fsync(g)
os.rename(d + "/new", d + "/file2")
os.open(d + "/loose", os.O_WRONLY | os.O_CREAT, 0o600)
os.unlink(d + "/loose")
os.kill(os.getpid(), 9)
"""


def program(preload, work, text, fault=None, sync_usec=0):
    env = {**os.environ, **powerloss.environment(preload, work, fault), "CHAOS_SYNC_USEC": str(sync_usec)}
    return subprocess.run(["/usr/bin/python3", "-c", text], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)


def power(preload, seed, text=PROGRAM, fault=None, sync_usec=0):
    with tempfile.TemporaryDirectory(prefix="chaos-test.") as work:
        work = pathlib.Path(work)
        (work / "data").mkdir()
        done = program(preload, work, text, fault, sync_usec)
        powerloss.cut(work, seed)
        return done, {path.name: path.read_bytes() for path in (work / "data").iterdir()}


def power_keeps_what_was_synced_and_loses_the_rest_or_not(preload):
    seen, names = set(), set()
    for seed in range(60):
        _, files = power(preload, seed)
        data = files["file"]
        assert data[:4096] == b"a" * 4096, seed
        assert set(data[4096:8192]) <= set(b"ab") and set(data[8192:]) <= set(b"c\0") and len(data) <= 12288, seed
        assert files.get("file2", files.get("new", b"new")) == b"new", seed
        seen.add((data[4096:8192] == b"a" * 4096, data[4096:8192] == b"b" * 4096))
        names.add(tuple(sorted(files)))
    assert seen == {(True, False), (False, True), (False, False)}, seen  # lost, kept, torn
    assert ("file",) in names and ("file", "file2") in names and ("file", "new") in names, names


def a_fault_fails_once(preload):
    text = PROGRAM.replace("os.fsync(f)\n", "\ntry:\n    os.fsync(f)\nexcept OSError as e:\n    print(e.errno, flush=True)\nos.fsync(f)\n")
    done, _ = power(preload, 1, text, ("fsync", 1, "EIO"))
    assert done.stdout == b"5\n" and done.returncode == -9, done
    lost = {power(preload, seed, text, ("fsync", 1, "EIO"))[1].get("file", b"")[:8192] == b"a" * 8192 for seed in range(20)}
    assert False in lost  # what a failed sync leaves is not made good by the next


def a_fault_that_stays_fails_each_time(preload):
    text = "import os\nd = os.environ['CHAOS_DATA']\nopen(d + '/f', 'w').close()\nopen(d + '/g', 'w').close()\n" + \
        "for n in 'abcd':\n    try:\n        os.rename(d + '/f', d + '/' + n)\n        os.rename(d + '/g', d + '/f')\n    except OSError as e:\n        print(e.errno, flush=True)\n"
    for error, said in (("EIO", b"5\n2\n2\n2\n"), ("EIO+", b"5\n5\n5\n5\n")):
        done, _ = power(preload, 1, text, ("rename", 1 if error == "EIO+" else 2, error))
        assert done.stdout == said, (error, done.stdout)


def a_fault_is_known_to_have_happened_and_one_that_never_came_not_to(preload):
    for call, number, error, comes in (("pwrite", 4, "DIE", True), ("pwrite", 5, "DIE", False), ("rename", 1, "EIO", True), ("rename", 2, "EIO", False),
                                       ("pread", 1, "EIO", False)):
        with tempfile.TemporaryDirectory(prefix="chaos-test.") as work:
            work = pathlib.Path(work)
            (work / "data").mkdir()
            program(preload, work, PROGRAM, (call, number, error))
            assert powerloss.fired(work) == comes, (call, number, error)
            program(preload, work, PROGRAM, ("unlink", 9, "EIO"))
            assert not powerloss.fired(work), "that was another life"


SHORT = """
import os
f = os.open(os.environ["CHAOS_DATA"] + "/file", os.O_RDWR | os.O_CREAT, 0o600)
print(os.pwrite(f, b"abcdef", 0), os.pwrite(f, b"xyz", 3))
print(os.write(f, b"abcd"))
try:
    os.pread(f, 9, 0)
except OSError as e:
    print(e.errno)
print(os.pread(f, 9, 0))
"""


def reads_fail_and_writes_are_short(preload):
    for fault, said in ((("pwrite", 1, "SHORT"), b"3 3\n4\nb'abcdyz'\n"), (("write", 1, "SHORT"), b"6 3\n2\nb'abcxyz'\n"),
                        (("pread", 1, "EIO"), b"6 3\n4\n5\nb'abcdyz'\n")):
        with tempfile.TemporaryDirectory(prefix="chaos-test.") as work:
            work = pathlib.Path(work)
            (work / "data").mkdir()
            done = program(preload, work, SHORT, fault)
            assert done.stdout == said, (fault, done.stdout)


# What is written while a sync is under way is written by another thread, when the kernel says that the sync sleeps.
MEANWHILE = """
import os, threading, time
f = os.open(os.environ["CHAOS_DATA"] + "/file", os.O_RDWR | os.O_CREAT, 0o600)
os.pwrite(f, b"a" * 4096, 0)
sync = threading.Thread(target=os.fsync, args=(f, ))
sync.start()
def sleeps():
    with open(f"/proc/self/task/{sync.native_id}/stat") as stat, open(f"/proc/self/task/{sync.native_id}/wchan") as where:
        place = where.read()  # "0" where the kernel does not tell
        return ("sleep" in place or place == "0") and stat.read().rsplit(")", 1)[1].split()[0] == "S"
end = time.monotonic() + 30
while not sleeps() and sync.is_alive() and time.monotonic() < end:
    pass
os.pwrite(f, b"b" * 4096, 4096)
in_time = sync.is_alive()
sync.join()
print(in_time, flush=True)
os.kill(os.getpid(), 9)
"""


def a_sync_covers_what_came_before_it_and_nothing_that_came_meanwhile(preload):
    seen, seed = set(), 0
    while len(seen) < 2 and seed < 60:
        done, files = power(preload, seed, MEANWHILE, sync_usec=3000000)
        seed += 1
        if done.stdout == b"True\n" and "file" in files:
            assert files["file"][:4096] == b"a" * 4096, seed
            seen.add(files["file"][4096:] == b"b" * 4096)
    assert seen == {True, False}, seen


CLOCKS = """
import os, struct, time
t = time.clock_gettime(time.CLOCK_REALTIME), time.time(), float(int(time.time()))
m = time.monotonic()
f = os.open(os.environ["CHAOS_CLOCK"], os.O_WRONLY)
os.pwrite(f, struct.pack("=q", int(float(os.environ["STEP"]) * 1e6)), 0)
now = time.clock_gettime(time.CLOCK_REALTIME)
print(now - t[0], time.time() - t[1], time.monotonic() - m)
import ctypes, select
libc = ctypes.CDLL(None)
timer = libc.timerfd_create(time.CLOCK_REALTIME, 0)
libc.timerfd_settime(timer, 1, (ctypes.c_long * 4)(0, 0, int(now) + 2, 0), None)
print(bool(select.select([timer], [], [], 60)[0]), time.clock_gettime(time.CLOCK_REALTIME) - now)
"""


def a_clock_that_is_stepped_is_so_for_all_who_read_it(clock):
    for step in (3600.5, -3600.5, 4e9, -1.5e9):
        with tempfile.NamedTemporaryFile(prefix="chaos-test.") as offset:
            offset.write(bytes(8))
            offset.flush()
            env = {**os.environ, "LD_PRELOAD": clock, "CHAOS_CLOCK": offset.name, "STEP": str(step)}
            out = subprocess.run(["/usr/bin/python3", "-c", CLOCKS], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout
            first, second = out.decode().splitlines()
            real, seconds, monotonic = map(float, first.split())
            assert 0 <= real - step < 30 and 0 <= seconds - step < 30 and 0 <= monotonic < 30, (step, first)
            assert second.split()[0] == "True" and 1 <= float(second.split()[1]) < 30, (step, second)


WITH_PRELOAD = (power_keeps_what_was_synced_and_loses_the_rest_or_not, a_fault_fails_once, a_fault_that_stays_fails_each_time, a_fault_is_known_to_have_happened_and_one_that_never_came_not_to,
                reads_fail_and_writes_are_short, a_sync_covers_what_came_before_it_and_nothing_that_came_meanwhile)


def main():
    clock, *preload = sys.argv[1:]
    pairs = [(a_clock_that_is_stepped_is_so_for_all_who_read_it, clock)] + [(function, *preload) for function in WITH_PRELOAD if preload]
    tap.run([(function.__name__, lambda function=function, library=library: function(library)) for function, library in pairs])


if __name__ == "__main__":
    main()
