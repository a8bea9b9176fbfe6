# SPDX-License-Identifier: Apache-2.0
# Owns the comparison of one D-Bus interface in two introspection documents: comments, the order of members and the
# default access of no annotation apart, they have to be the same. Usage: same-interface.py INTERFACE FILE FILE
import sys
import xml.etree.ElementTree as ET


def members(path, interface):
    for node in ET.parse(path).getroot().iter("interface"):
        if node.get("name") == interface:
            return {member(child) for child in node if isinstance(child.tag, str)}
    sys.exit(f"{path}: no interface {interface}")


def member(node):
    arguments = []
    for child in node:
        if child.tag == "arg":
            # Left out, it is "in" for methods and "out" for signals.
            direction = child.get("direction") or ("out" if node.tag == "signal" else "in")
            arguments.append(f"{direction} {child.get('type')} {child.get('name')}")
        elif child.tag == "annotation":
            arguments.append(f"@{child.get('name')}={child.get('value')}")
    # Methods list the arguments in before those out, annotations in any order.
    arguments.sort(key=lambda a: (a.startswith("@"), a.startswith("out "), a if a.startswith("@") else ""))
    head = " ".join(filter(None, [node.tag, node.get("name"), node.get("type"), node.get("access")]))
    return f"{head}: {'; '.join(arguments)}"


ours, theirs = (members(path, sys.argv[1]) for path in sys.argv[2:4])
for text in sorted(ours - theirs):
    print("only in", sys.argv[2], text)
for text in sorted(theirs - ours):
    print("only in", sys.argv[3], text)
sys.exit(ours != theirs)
