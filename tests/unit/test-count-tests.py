#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The sum of a check: what counts as passed, failed, skipped or unsteady, and what is worth a second run. TAP.

test-count-tests.py COUNT-TESTS
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

import tap  # noqa: E402

CASES = []
FINE = "1..2\nok 1 - one\nok 2 - two\n"
LATE = "1..2\nok 1 - one\nnot ok 2 - two\n# now < deadline\n"


def case(function):
    CASES.append(function)
    return function


def program(name, result, stdout, returncode=0, stderr=""):
    return {"name": f"confd-ha:unit / {name}", "result": result, "stdout": stdout, "stderr": stderr, "returncode": returncode}


def count(*arguments, **logs):
    """Runs count-tests over a build with these logs; testlog_again is testlog-again.json."""
    with tempfile.TemporaryDirectory() as build:
        directory = pathlib.Path(build, "meson-logs")
        directory.mkdir()
        for name, entries in logs.items():
            text = "".join(json.dumps(entry) + "\n" for entry in entries)
            (directory / f"{name.replace('_', '-')}.json").write_text(text, encoding="utf-8")
        done = subprocess.run([sys.argv[1], *arguments, build], stdout=subprocess.PIPE, check=False, encoding="utf-8")
        return done.returncode, done.stdout.splitlines()


@case
def a_failed_case_fails_the_sum():
    status, lines = count(testlog=[program("a", "OK", FINE), program("b", "FAIL", LATE, 1)])
    assert status == 1 and lines[-1] == "3 passed, 1 failed, 0 skipped", lines


@case
def what_passes_in_the_second_run_is_told_as_unsteady_and_passed():
    status, lines = count(testlog=[program("b", "FAIL", LATE, 1)], testlog_again=[program("b", "OK", FINE)])
    assert status == 0 and lines[-1] == "2 passed, 0 failed, 0 skipped", lines
    assert [line for line in lines if line.startswith("UNSTEADY") and "b: 2 two" in line], lines


@case
def what_fails_in_both_runs_has_failed():
    status, lines = count(testlog=[program("b", "FAIL", LATE, 1)], testlog_again=[program("b", "TIMEOUT", "1..2\n", -15)])
    assert status == 1 and not [line for line in lines if line.startswith("UNSTEADY")], lines


@case
def what_is_tried_again_failed_or_hung():
    status, lines = count("--to-try-again", testlog=[
        program("a", "OK", FINE), program("b", "FAIL", LATE, 1), program("c", "TIMEOUT", "1..2\nok 1 - one\n", -15)])
    assert (status, lines) == (0, ["b", "c"]), lines


@case
def neither_a_crash_nor_a_report_of_a_sanitizer_is_tried_again():
    _, lines = count("--to-try-again", testlog=[
        program("a", "FAIL", FINE, -11), program("b", "ERROR", "1..2\nok 1 - one\n", 134),
        program("c", "FAIL", LATE, 1, "==7==ERROR: AddressSanitizer: heap-use-after-free")])
    assert lines == [], lines


@case
def more_than_three_failures_are_no_chance():
    _, lines = count("--to-try-again", testlog=[program(name, "FAIL", LATE, 1) for name in "abcd"])
    assert lines == [], lines


@case
def a_skipped_case_that_this_machine_could_run_fails_where_that_is_asked_for():
    entries = [program("a", "OK", "1..2\nok 1 - one\nok 2 - two # SKIP no sudo\n")]
    assert count(testlog=entries)[0] == 0
    assert count("--strict", testlog=entries)[0] == 1
    entries = [program("a", "OK", "1..2\nok 1 - one\nok 2 - two # SKIP this machine has no namespaces\n")]
    assert count("--strict", testlog=entries)[0] == 0


if __name__ == "__main__":
    tap.run([(function.__name__, function) for function in CASES])
