// SPDX-License-Identifier: Apache-2.0
// Past orders and transitions, read back from the journal by confd-hactl.

import { h, show } from "./dom.js";

const _ = cockpit.gettext;
const LINES = 30;

function row(entry) {
    const when = new Date(entry.time_usec ? entry.time_usec / 1000 : entry.time);
    return h("tr", { class: entry.error ? "failed" : null },
             h("td", null, Number.isNaN(+when) ? String(entry.time ?? "") : when.toLocaleString()),
             h("td", null, entry.message ?? entry.what ?? ""));
}

export async function history(element) {
    try {
        const text = await cockpit.spawn(["confd-hactl", "--no-pager", "--json=short", "history", `--lines=${LINES}`],
                                         { superuser: "try", err: "message" });
        const entries = JSON.parse(text || "[]");
        const list = (Array.isArray(entries) ? entries : entries.history ?? []).slice(-LINES).reverse();
        show(element, list.length === 0 ? h("p", null, _("Nothing is recorded, or you may not read the journal."))
            : h("table", { "aria-label": _("History") }, h("tbody", null, list.map(row))));
    } catch (error) {
        show(element, h("p", { class: "advice" }, cockpit.format(_("The journal cannot be read: $0"), error.message)));
    }
}
