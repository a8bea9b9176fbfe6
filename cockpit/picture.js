// SPDX-License-Identifier: Apache-2.0
// The cluster as this node knows it: its master above, its slaves below. The drawing has a text beside it that says the same.

import { h, svg } from "./dom.js";

const _ = cockpit.gettext;
const WIDTH = 150, HEIGHT = 54, GAP = 24, ROW = 110, MOST = 12;

// Rows of nodes, from the master down; `here` marks this node.
export function rows(p) {
    const here = { id: p.NodeId || _("this node"), state: p.State, here: true };
    const [masterId, masterAddress] = p.Master;
    const slaves = p.Slaves.map(([id, address]) => ({ id, address, state: "slave" }));
    const result = [];

    if (masterId)
        result.push([{ id: masterId, address: masterAddress, state: "master" }]);
    result.push([here]);
    if (slaves.length > 0)
        result.push(slaves);
    return result;
}

export function words(p) {
    const node = p.NodeId || _("this node");
    const [master, address] = p.Master;

    if (p.Synchronizing)
        return master ? cockpit.format(_("$0 is copying the data of $1 ($2)."), node, master, address)
                      : cockpit.format(_("$0 is joining a master."), node);
    switch (p.State) {
    case "master":
        return p.Slaves.length === 0 ? cockpit.format(_("$0 is master. Nobody follows it."), node)
            : cockpit.format(_("$0 is master. It is followed by: $1."), node, p.Slaves.map(s => s[0]).join(", "));
    case "slave":
        return cockpit.format(_("$0 follows $1 ($2)."), node, master, address);
    case "slave-relay":
        return cockpit.format(_("$0 follows $1 ($2) and passes on to: $3."), node, master, address,
                              p.Slaves.map(s => s[0]).join(", ") || _("nobody"));
    case "none":
        return cockpit.format(_("$0 has no role and no peers."), node);
    default:
        return _("The state is not known.");
    }
}

function box(node, x, y) {
    return svg("g", { class: `node ${node.state} ${node.here ? "here" : ""}`, transform: `translate(${x},${y})` },
               svg("rect", { width: WIDTH, height: HEIGHT, rx: 6 }),
               svg("text", { x: WIDTH / 2, y: 22, class: "id" }, node.id.length > 18 ? node.id.slice(0, 17) + "…" : node.id),
               svg("text", { x: WIDTH / 2, y: 42, class: "what" },
                   node.here ? cockpit.format(_("$0, this node"), _(node.state)) : node.address || _(node.state)));
}

export function picture(p) {
    const all = rows(p).map(row => row.length > MOST
        ? [...row.slice(0, MOST - 1), { id: cockpit.format(_("and $0 more"), row.length - MOST + 1), state: "slave" }] : row);
    // At most four beside each other: more go below.
    const lines = all.flatMap(row => Array.from({ length: Math.ceil(row.length / 4) }, (_, i) => row.slice(i * 4, i * 4 + 4)));
    const width = Math.max(...lines.map(line => line.length)) * (WIDTH + GAP) + GAP;
    const position = new Map();
    const parts = [];

    lines.forEach((line, y) => {
        const left = (width - line.length * (WIDTH + GAP) + GAP) / 2;
        line.forEach((node, x) => position.set(node, [left + x * (WIDTH + GAP), y * ROW + 8]));
    });
    all.slice(1).forEach((row, i) => {
        const [ax, ay] = position.get(all[i][0]);
        for (const node of row) {
            const [bx, by] = position.get(node);
            const waits = p.Synchronizing && node.here;
            parts.push(svg("path", {
                class: waits ? "link synchronizing" : "link",
                d: `M${ax + WIDTH / 2},${ay + HEIGHT} C${ax + WIDTH / 2},${ay + HEIGHT + 30} ${bx + WIDTH / 2},${by - 30} ${bx + WIDTH / 2},${by}`,
            }));
        }
    });
    for (const [node, [x, y]] of position)
        parts.push(box(node, x, y));
    return h("figure", { class: "picture" },
             svg("svg", { viewBox: `0 0 ${width} ${(lines.length - 1) * ROW + HEIGHT + 16}`, width,
                          role: "img", "aria-label": words(p), id: "picture" }, parts),
             h("figcaption", { id: "words" }, words(p)));
}
