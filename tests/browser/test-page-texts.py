#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The texts of the Cockpit page and their translations belong together. TAP. test-page-texts.py COCKPIT-DIRECTORY"""

import json
import pathlib
import re
import sys

TEXT = r'"((?:[^"\\]|\\.)+)"'
directory = pathlib.Path(sys.argv[1])
pages = {p.name: p.read_text(encoding="utf-8") for p in directory.glob("*.js") if not p.name.startswith("po.")}
used = {t for text in pages.values() for t in re.findall(r"\b_\(" + TEXT + r"\)", text)}
# What the service says, and is translated as a whole.
words = {"master", "slave", "slave-relay", "none", "unknown", "off", "reached", "starting", "stopping"}
count = 0


def check(name, wrong):
    global count
    count += 1
    print(f"{'not ok' if wrong else 'ok'} {count} - {name}")
    for line in wrong:
        print(f"# {line}")


for po in sorted(directory.glob("po.*.js")):
    translated = dict(re.findall("^    " + TEXT + r": \[null, " + TEXT + r"\]", po.read_text(encoding="utf-8"), re.M))
    check(f"{po.name} has every text", sorted((used | words) - set(translated)))
    check(f"{po.name} has no other text", sorted(set(translated) - used - words))
    check(f"{po.name} has the same places to fill",
          [k for k, v in translated.items() if sorted(re.findall(r"\$\d", k)) != sorted(re.findall(r"\$\d", v))])
check("nothing that comes from outside is made markup", [n for n, t in pages.items() if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", t)])
check("the manifest is JSON", [] if json.loads((directory / "manifest.json").read_text())["menu"] else ["no menu"])
check("every module that is imported is there",
      [f"{n}: {m}" for n, t in pages.items() for m in re.findall(r'from "\./([^"]+)"', t) if m not in pages])
print(f"1..{count}")
