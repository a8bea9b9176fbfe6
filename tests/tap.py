# SPDX-License-Identifier: Apache-2.0
"""Runs a test program's cases, functions that assert, and tells of them in TAP."""


def run(cases):
    """cases: pairs of a name, underscores standing for spaces, and a function without arguments."""
    print(f"1..{len(cases)}")
    for number, (name, function) in enumerate(cases, 1):
        try:
            function()
            print(f"ok {number} - {name.replace('_', ' ')}", flush=True)
        except AssertionError as error:
            print(f"not ok {number} - {name.replace('_', ' ')}\n# {error} (line {error.__traceback__.tb_next.tb_lineno})", flush=True)
