// SPDX-License-Identifier: Apache-2.0
// What hangs on a role: the units that systemd starts and stops with its target.

const MANAGER = ["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
const UNIT = "org.freedesktop.systemd1.Unit";

let bus = null;

async function property(path, name) {
    const [variant] = await bus.call(path, "org.freedesktop.DBus.Properties", "Get", [UNIT, name]);
    return variant.v;
}

export async function hanging(target) {
    bus ??= cockpit.dbus("org.freedesktop.systemd1", { bus: "system" });
    const [path] = await bus.call(...MANAGER, "LoadUnit", [target]);
    const wanted = [...new Set([...await property(path, "Wants"), ...await property(path, "Requires")])].sort();
    return Promise.all(wanted.map(async name => {
        const [unit] = await bus.call(...MANAGER, "LoadUnit", [name]);
        return { name, active: await property(unit, "ActiveState"), description: await property(unit, "Description") };
    }));
}
