// SPDX-License-Identifier: Apache-2.0
// The page: what is shown where, and when it is drawn again.

import { h, show } from "./dom.js";
import { history } from "./history.js";
import { ask, orders } from "./orders.js";
import { picture } from "./picture.js";
import { Service, explain } from "./service.js";
import { hanging } from "./systemd.js";

const _ = cockpit.gettext;

const service = new Service();
const app = document.getElementById("app");
const parts = Object.fromEntries(["head", "alerts", "cluster", "data", "target", "orders", "inhibitors", "history"]
    .map(name => [name, h(name === "head" ? "header" : "section", { id: name })]));
const live = h("p", { id: "live", class: "visually-hidden", "aria-live": "polite" });

function time(usec) {
    return new Date(usec / 1000).toLocaleString();
}

// Cockpit's own choice of a style, and the browser's where there is none.
function style() {
    const chosen = localStorage.getItem("shell:style") ?? "auto";
    const dark = chosen === "dark" || chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.classList.toggle("dark", dark);
}

function card(title, ...children) {
    return [h("h2", null, title), ...children];
}

function facts(...pairs) {
    return h("dl", null, pairs.filter(([, value]) => value !== null)
        .map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

function head(p) {
    show(parts.head, h("h1", null, _("ConfD high availability")),
         h("span", { class: `badge ${p.State}`, id: "state" }, _(p.State)),
         p.Synchronizing ? h("span", { class: "badge synchronizing", id: "synchronizing" }, _("synchronizing")) : null,
         h("span", { class: "since", id: "since" }, cockpit.format(_("since $0"), time(p.StateSince))));
}

let explained = { name: "", text: "" };

function alerts(p) {
    const [name, message, when] = p.LastError;
    const list = [];

    if (!p.Connected)
        list.push(h("div", { class: "alert danger", id: "disconnected" },
                    h("strong", null, cockpit.format(_("There is no connection to ConfD at $0."), p.ConfdAddress))));
    else if (!p.EventsConnected)
        list.push(h("div", { class: "alert warning" }, _("ConfD's events do not arrive: changes are noticed late.")));
    if (name) {
        list.push(h("details", { class: "alert info", id: "last-error" },
                    h("summary", null, cockpit.format(_("Last error, $0: "), time(when)), message),
                    h("pre", { class: "advice", id: "last-error-advice" }, explained.name === name ? explained.text : name)));
        if (explained.name !== name) {
            explained = { name, text: name };
            explain(name).then(text => { explained = { name, text: text || name }; draw(); });
        }
    }
    // What was opened stays open.
    const open = document.getElementById("last-error")?.open;
    show(parts.alerts, ...list);
    if (open && document.getElementById("last-error"))
        document.getElementById("last-error").open = true;
}

function data(p) {
    const [as, master, , when, how] = p.LastInSync ?? ["", "", "", 0, ""];
    const hows = { "lasts": _("lasts"), "master-lost": _("the master was lost"), "order": _("by an order"), "outage": _("an outage here") };

    show(parts.data, ...card(_("Data"), facts(
        [_("In place"), p.InSync ? _("yes") : _("no")],
        [_("Last in place"), !as ? _("never") : p.InSync ? cockpit.format(_("now, as $0 under $1"), _(as), master)
            : cockpit.format(_("until $0, as $1 under $2: $3"), time(when), _(as), master, hows[how] ?? how)],
        [_("ConfD"), cockpit.format(_("$0 at $1"), p.ConfdVersion || "?", p.ConfdAddress)],
        [_("Service"), p.Version])));
}

let hung = { target: "", units: [] };

function target(p) {
    const unit = p.State === "master" ? "confd-ha-master.target" : "confd-ha-slave.target";
    const said = p.Targets ?? "";

    if (hung.target !== unit + said) {
        hung = { target: unit + said, units: hung.units };
        hanging(unit).then(units => { hung.units = units; draw(); }, () => { hung.units = []; });
    }
    show(parts.target, ...card(_("Role target"),
         h("p", { id: "targets" }, said.startsWith("failed") ? h("strong", { class: "failed" }, said) : _(said || "off")),
         said === "off" || p.State === "none" || p.State === "unknown" ? null
             : h("ul", { "aria-label": unit }, hung.units.length === 0 ? h("li", null, _("Nothing hangs on this role."))
                 : hung.units.map(u => h("li", null, h("span", { class: `dot ${u.active}`, title: u.active }), " ", u.name, ": ", u.active)))));
}

function buttons(p) {
    show(parts.orders, ...card(_("Orders"),
         p.Inhibitors?.length ? h("p", { class: "alert info" }, _("Somebody holds role orders back, see below.")) : null,
         h("div", { class: "buttons" }, orders.map(order =>
             h("button", { id: "order-" + order.id, type: "button", disabled: !p.Connected || !order.may(p),
                           onclick: () => ask(order, service) }, order.label + "…")))));
}

function inhibitors(p) {
    const list = p.Inhibitors ?? [];

    show(parts.inhibitors, ...(list.length === 0 ? [] : card(_("Inhibitors"),
         h("ul", { id: "inhibitor-list" }, list.map(([who, why, uid, since]) =>
             h("li", null, cockpit.format(_("$0: $1 (user $2, since $3)"), who, why || _("no reason given"), uid, time(since))))))));
    parts.inhibitors.hidden = list.length === 0;
}

function unknown() {
    const problem = service.problem;
    show(app, h("div", { class: "empty", id: "unknown" }, h("h1", null, _("ConfD high availability")),
                h("p", null, problem === null ? _("Asking the service …")
                    : problem === "access-denied" ? _("You may not ask the service.")
                    : _("The service confd-ha.service does not answer. Is it installed and started?")),
                problem === null ? null : h("button", { type: "button", onclick: () => service.reopen() }, _("Try again"))));
    app.setAttribute("aria-busy", String(problem === null));
}

function draw() {
    const p = service.properties;

    if (!p) {
        unknown();
        return;
    }
    if (!parts.head.isConnected)
        show(app, Object.values(parts), live);
    head(p);
    alerts(p);
    show(parts.cluster, ...card(_("Cluster, as this node knows it"), picture(p)));
    data(p);
    target(p);
    buttons(p);
    inhibitors(p);
    app.setAttribute("aria-busy", "false");
}

// What has just happened is said to those who listen, and is in the journal a moment later.
let reading = null;
function readHistory() {
    clearTimeout(reading);
    reading = setTimeout(() => {
        if (!parts.history.firstChild)
            show(parts.history, ...card(_("History"), h("div", { id: "history-list" })));
        history(document.getElementById("history-list") ?? parts.history.lastChild);
    }, 300);
}

service.addEventListener("changed", draw);
service.addEventListener("changed", readHistory);
service.addEventListener("signal", event => {
    const { signal, args } = event.detail;
    if (signal === "StateChanged")
        live.textContent = cockpit.format(_("The state is now $0; it was $1."), _(args[1]), _(args[0]));
    readHistory();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", style);
addEventListener("storage", style);
addEventListener("cockpit-style", style);
document.title = _("ConfD HA");
document.documentElement.lang = cockpit.language ?? "en";
style();
draw();
