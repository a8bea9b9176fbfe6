# SPDX-License-Identifier: Apache-2.0
"""Owns the search for a shorter schedule that fails in the same way."""

import dataclasses

RUNS_MAX = 40
TRIES = 2  # a fault that needs luck gets a second chance


def fails(plan, invariant, run):
    """How many runs it took until that invariant failed, or -TRIES."""
    for tries in range(1, TRIES + 1):
        if any(found[0] == invariant for found in run(plan)):
            return tries
    return -TRIES


def shrink(plan, invariant, run, runs_max=RUNS_MAX):
    """Drops pieces of the schedule, halves first, single actions last, for as long as it still fails. Returns it, and the runs."""
    runs, size = 0, max(1, len(plan.actions) // 2)
    while size >= 1 and runs < runs_max:
        at, shorter = 0, False
        while at < len(plan.actions) and runs < runs_max:
            candidate = dataclasses.replace(plan, actions=plan.actions[:at] + plan.actions[at + size:])
            took = fails(candidate, invariant, run)
            runs += abs(took)
            if took > 0:
                plan, shorter = candidate, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = size // 2 if size > 1 else (1 if shorter else 0)
    return plan, runs
