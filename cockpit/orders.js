// SPDX-License-Identifier: Apache-2.0
// The orders: each asks first and says what will happen to the data, then shows how it goes.

import { h, show } from "./dom.js";
import { explain } from "./service.js";

const _ = cockpit.gettext;

// What an order asks for (fields), what it says will happen, and how it is given.
export const orders = [
    {
        id: "be-master", label: _("Become master"),
        may: p => p.State !== "master",
        fields: p => [{ id: "node", label: _("Node id"), value: p.NodeId || p.LastInSync?.[1] || "" }],
        consequence: p => p.InSync || p.State === "none" && p.LastInSync?.[4] === "master-lost"
            ? _("This node takes writes from now on, with the data it has. Make sure that no other node is master: two masters' data grows apart.")
            : _("This node's data is not known to be the last master's: what was written there since then is lost if this node becomes master. Make sure that no other node is master."),
        danger: p => !p.InSync,
        give: (service, v) => service.call("BeMaster", v.node),
    },
    {
        id: "be-slave", label: _("Follow a master"),
        may: () => true,
        fields: p => [
            { id: "node", label: _("Node id"), value: p.NodeId },
            { id: "master", label: _("Id of the master"), value: p.Master[0] || p.LastInSync?.[1] || "" },
            { id: "address", label: _("Address of the master"), value: p.Master[1] || p.LastInSync?.[2] || "" },
        ],
        consequence: p => p.State === "master"
            ? _("This node stops being master and drops its slaves. If its data differs from the other master's, all of it is replaced, and what only this node has is lost.")
            : _("If this node's data differs from the master's, all of it is replaced by a copy. Until the copy is in place it serves its old data and takes no writes."),
        danger: p => p.State === "master",
        progress: _("Joining, and copying the data if it differs. This may take long, and goes on if you leave the page."),
        give: (service, v) => service.call("BeSlave", v.node, v.master, v.address, true),
    },
    {
        id: "be-relay", label: _("Become a relay"),
        may: p => p.State === "slave",
        fields: () => [],
        consequence: () => _("This slave serves slaves of its own from now on. No data changes."),
        give: service => service.call("BeRelay"),
    },
    {
        id: "be-none", label: _("Give up the role"),
        may: p => p.State !== "none",
        fields: () => [],
        consequence: p => p.State === "master"
            ? _("This node stops being master: its slaves lose their master, and nothing can be written until another node is master. It keeps its data.")
            : _("This node follows nobody any more and keeps the data that it has."),
        danger: p => p.State === "master",
        give: service => service.call("BeNone"),
    },
    {
        id: "slave-dead", label: _("Declare a node dead"),
        may: p => ["master", "slave", "slave-relay"].includes(p.State),
        fields: p => [{ id: "node", label: _("Node id"), value: "", list: p.Slaves.map(s => s[0]) }],
        consequence: () => _("The connection with that node ends at once, and commits do not wait for it any more. If it lives, it has to join again."),
        give: (service, v) => service.call("SlaveDead", v.node),
    },
];

function field(f) {
    return h("label", { class: "field" }, h("span", null, f.label),
             h("input", { id: "field-" + f.id, name: f.id, value: f.value ?? "", required: true, maxlength: 127, autocomplete: "off",
                          spellcheck: "false", list: f.list ? "list-" + f.id : null }),
             f.list ? h("datalist", { id: "list-" + f.id }, f.list.map(v => h("option", { value: v }))) : null);
}

async function failed(result, error) {
    const denied = /AccessDenied|InteractiveAuthorizationRequired|access-denied|not-authorized/.test(error.name);
    const advice = denied ? _("You are not allowed to do that here. Turn on administrative access at the top of the page, or ask for a polkit rule.")
                          : await explain(error.short);
    show(result, h("div", { class: "alert danger", role: "alert", id: "order-error" },
                   h("strong", null, error.short || error.name), h("p", null, error.message),
                   advice ? h("pre", { class: "advice" }, advice) : null));
}

export function ask(order, service) {
    const p = service.properties;
    const result = h("div", { "aria-live": "polite" });
    const confirm = h("button", { type: "submit", id: "confirm", class: order.danger?.(p) ? "danger" : "primary" }, order.label);
    const cancel = h("button", { type: "button", id: "cancel", onclick: () => dialog.close() }, _("Cancel"));
    const form = h("form", {
        method: "dialog",
        onsubmit: async event => {
            event.preventDefault();
            const values = Object.fromEntries(new FormData(form));
            confirm.disabled = true;
            cancel.textContent = _("Close");
            show(result, h("p", { class: "progress", id: "order-progress" }, h("progress", { "aria-label": _("Under way") }),
                           " ", order.progress ?? _("Under way")));
            try {
                await order.give(service, values);
                dialog.close();
            } catch (error) {
                confirm.disabled = false;
                await failed(result, error);
            }
        },
    }, h("h2", { id: "dialog-title" }, order.label),
                   h("p", { id: "consequence", class: order.danger?.(p) ? "alert warning" : null }, order.consequence(p)),
                   order.fields(p).map(field), result,
                   h("div", { class: "buttons" }, confirm, cancel));
    const dialog = h("dialog", { id: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "consequence",
                                 onclose: () => { dialog.remove(); document.getElementById("order-" + order.id)?.focus(); } }, form);

    document.body.append(dialog);
    dialog.showModal();
}
