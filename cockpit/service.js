// SPDX-License-Identifier: Apache-2.0
// The service on the system bus: its properties, kept current by its signals, and its methods.

const NAME = "org.confd.HA";
const PATH = "/org/confd/HA";
const ERROR = NAME + ".Error.";

// superuser "try": with Cockpit's administrative access as root, without it as the user, and then polkit decides.
export class Service extends EventTarget {
    constructor() {
        super();
        this.properties = null;     // null: not known
        this.problem = null;        // why not
        this.open();
        this.permission = cockpit.permission({ admin: true });
        this.allowed = this.permission.allowed;     // null: not known yet
        this.permission.addEventListener("changed", () => this.permitted());
    }

    // Who has got or given up administrative access is somebody else on the bus.
    permitted() {
        const before = this.allowed;
        this.allowed = this.permission.allowed;
        if (before !== null && before !== undefined && before !== this.allowed)
            this.reopen();
    }

    open() {
        const bus = this.bus = cockpit.dbus(NAME, { bus: "system", superuser: "try" });
        bus.addEventListener("close", (_, options) => bus === this.bus && this.lost(options?.problem ?? "terminated"));
        bus.addEventListener("owner", (_, owner) => bus === this.bus && (owner ? this.read() : this.lost("not-found")));
        bus.subscribe({ path: PATH, interface: "org.freedesktop.DBus.Properties", member: "PropertiesChanged" },
                           (_path, _interface, _signal, [name, changed]) => this.changed(name, changed));
        bus.subscribe({ path: PATH, interface: NAME }, (_path, _interface, signal, args) =>
            this.dispatchEvent(new CustomEvent("signal", { detail: { signal, args } })));
        this.read();
    }

    reopen() {
        const old = this.bus;
        this.problem = null;
        this.open();
        old.close();
    }

    tell() {
        this.dispatchEvent(new Event("changed"));
    }

    lost(problem) {
        this.properties = null;
        this.problem = problem;
        this.tell();
    }

    changed(name, changed) {
        if (name !== NAME || !this.properties)
            return;
        for (const [key, variant] of Object.entries(changed))
            this.properties[key] = variant.v;
        this.tell();
    }

    async read() {
        const bus = this.bus;
        try {
            const [all] = await bus.call(PATH, "org.freedesktop.DBus.Properties", "GetAll", [NAME]);
            if (bus !== this.bus)
                return;
            this.properties = Object.fromEntries(Object.entries(all).map(([key, variant]) => [key, variant.v]));
            this.problem = null;
            this.tell();
        } catch (error) {
            if (bus === this.bus)
                this.lost(error.name ?? error.problem);
        }
    }

    // Rejects with an Error whose `short` is the error's name without its prefix.
    async call(method, ...args) {
        try {
            // Without a time-out: a copy of much data takes long.
            await this.bus.call(PATH, NAME, method, args);
        } catch (error) {
            const name = error.name ?? error.problem ?? "";
            throw Object.assign(new Error(error.message || name), {
                name, short: name.startsWith(ERROR) ? name.slice(ERROR.length) : name,
            });
        }
    }
}

// What confd-hactl has to say of an error: what it means and what to look at.
export async function explain(name) {
    try {
        return (await cockpit.spawn(["confd-hactl", "--no-pager", "explain", name], { err: "ignore" })).trim();
    } catch {
        return "";
    }
}
