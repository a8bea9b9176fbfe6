// SPDX-License-Identifier: Apache-2.0
// What a person does on the page, and sees. Prints "ok - NAME" or "not ok - NAME" and why.
// WORK has the scripts n1 and n2, which run a command on a machine; pictures go to WORK/pictures.

const { chromium } = require("playwright-core");
const { execFileSync, spawn } = require("child_process");
const fs = require("fs");
const path = require("path");

const { WORK, PASSWORD } = process.env;
const URL = "http://127.0.0.1:9090";
const PATIENCE = 30000;
const on = (machine, ...words) => execFileSync(path.join(WORK, machine), words, { encoding: "utf8", timeout: 60000 });

let failures = 0;
async function check(name, body) {
    try {
        await body();
        console.log("ok - " + name);
    } catch (error) {
        failures++;
        console.log("not ok - " + name);
        console.log(String(error.message).split("\n").slice(0, 12).join("\n"));
        await shoot(`failed-${failures}`).catch(() => {});
    }
}

let context, page, frame;
const shoot = name => page.screenshot({ path: path.join(WORK, "pictures", name + ".png") });

async function open(user, language) {
    if (context)
        await context.close();
    const profile = fs.mkdtempSync(path.join(WORK, "profile-"));
    context = await chromium.launchPersistentContext(profile, {
        executablePath: "/usr/bin/chromium", headless: true, viewport: { width: 1150, height: 900 }, reducedMotion: "reduce",
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync"],
    });
    page = context.pages()[0] ?? await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", error => console.log("page error: " + error.message));
    if (language)
        await context.addCookies([{ name: "CockpitLang", value: language, url: URL }]);
    await page.goto(URL + "/confd-ha", { waitUntil: "load" });
    await page.waitForSelector("#login-user-input", { state: "visible" });
    if (language)
        await page.evaluate(l => localStorage.setItem("cockpit.lang", l), language);
    await page.fill("#login-user-input", user);
    await page.fill("#login-password-input", PASSWORD);
    await page.click("#login-button");
    frame = page.frameLocator('iframe[name="cockpit1:localhost/confd-ha"]');
    await frame.locator("#state").waitFor();
}

async function administrative() {
    await page.locator("#super-user-indicator button, .ct-locked, button:has-text('Limited access')").first().click();
    const field = page.locator("input[type=password]:visible");
    await field.waitFor();
    await field.fill(PASSWORD);
    await page.locator(".pf-c-modal-box button.pf-m-primary, .pf-v5-c-modal-box button.pf-m-primary").first().click();
    await page.locator("button:has-text('Administrative access')").first().waitFor();
}

const state = wanted => frame.locator(`#state.${wanted}`).waitFor();
const says = text => frame.locator("#words", { hasText: text }).waitFor();

async function order(id, fields = {}) {
    await frame.locator("#order-" + id).click();
    await frame.locator("#dialog").waitFor();
    for (const [name, value] of Object.entries(fields))
        await frame.locator("#field-" + name).fill(value);
    const consequence = await frame.locator("#consequence").textContent();
    await frame.locator("#confirm").click();
    return consequence;
}
const done = () => frame.locator("#dialog").waitFor({ state: "detached" });

async function main() {
    await open("plain");
    await check("the page shows a node without a role", () => says("has no role and no peers"));
    await check("who has no right is refused, and told why", async () => {
        await order("be-master", { node: "n1" });
        await frame.locator("#order-error", { hasText: "You are not allowed" }).waitFor();
        await frame.locator("#cancel").click();
        await done();
        await state("none");
    });
    await open("admin");
    await check("administrative access can be had", administrative);
    await check("an order says first what becomes of the data", async () => {
        const text = await order("be-master", { node: "n1" });
        if (!/no other node is master/.test(text))
            throw new Error(text);
        await done();
    });
    await check("this node becomes master", () => state("master"));
    await check("what hangs on the role is shown", () => frame.locator("#target li", { hasText: "virtual-ip.service: active" }).waitFor());
    await check("a slave that arrives is seen without a reload", async () => {
        on("n2", "confd-hactl be-slave n2 n1 10.77.0.1");
        await says("It is followed by: n2");
        await frame.locator(".node.slave", { hasText: "10.77.0.2" }).waitFor();
    });
    await shoot("cockpit-master");
    await check("the history has the order", () => frame.locator("#history td", { hasText: "BeMaster n1" }).first().waitFor());
    await check("a node is declared dead", async () => {
        await order("slave-dead", { node: "n2" });
        await done();
        await says("Nobody follows it");
    });
    await check("the role is given up", async () => {
        const text = await order("be-none");
        if (!/nothing can be written/.test(text))
            throw new Error(text);
        await done();
        await state("none");
    });
    await check("a refused order is explained in confd-hactl's words", async () => {
        on("n2", "confd-hactl be-master n2");
        await order("be-slave", { node: "n1", master: "nobody", address: "10.77.0.2" });
        await frame.locator("#order-error .advice", { hasText: "BadName" }).waitFor();
        await shoot("cockpit-error");
        await frame.locator("#cancel").click();
        await done();
    });
    await check("this node follows a master", async () => {
        await order("be-slave", { node: "n1", master: "n2", address: "10.77.0.2" });
        await done();
        await state("slave");
        await says("n1 follows n2 (10.77.0.2)");
    });
    await check("it becomes a relay", async () => {
        await order("be-relay");
        await done();
        await state("slave-relay");
    });
    await check("a master that dies is seen live", async () => {
        on("n2", "systemctl kill --signal=SIGKILL confd-ha-node.service");
        await state("none");
        await frame.locator("#last-error summary").click();
        await frame.locator("#last-error-advice", { hasText: /Closed/ }).waitFor();
    });
    await check("a failover is done and seen", async () => {
        await order("be-master", { node: "n1" });
        await done();
        await state("master");
    });
    await check("being told to follow as master warns of what is lost", async () => {
        await frame.locator("#order-be-slave").click();
        await frame.locator("#consequence.alert", { hasText: "what only this node has is lost" }).waitFor();
        await shoot("cockpit-follow");
        await page.keyboard.press("Escape");
        await done();
    });
    await check("the keyboard is enough: enter opens, escape closes, the focus comes back", async () => {
        await frame.locator("#order-be-none").focus();
        await page.keyboard.press("Enter");
        await frame.locator("#dialog").waitFor();
        await page.keyboard.press("Escape");
        await done();
        await frame.locator("#order-be-none:focus").waitFor();
    });
    await check("the picture has words for who does not see it", async () => {
        const label = await frame.locator("#picture").getAttribute("aria-label");
        if (!/n1 is master/.test(label))
            throw new Error(label);
    });
    await check("an inhibitor is shown while it lasts", async () => {
        const child = spawn(path.join(WORK, "n1"), ["confd-hactl inhibit --who=backup --why=nightly sleep 1000"], { stdio: "ignore" });
        try {
            await frame.locator("#inhibitor-list li", { hasText: "backup: nightly" }).waitFor();
        } finally {
            on("n1", "pkill -x sleep");
            child.kill();
        }
        await frame.locator("#inhibitor-list").waitFor({ state: "detached" });
    });
    await check("a service that is stopped is told, and found when it is back", async () => {
        on("n1", "systemctl stop confd-ha.service");
        await frame.locator("#unknown").waitFor();
        on("n1", "systemctl start confd-ha.service");
        await state("master");
    });
    await check("400 pixels are enough", async () => {
        await page.setViewportSize({ width: 400, height: 900 });
        await state("master");
        const [wide, view] = await frame.locator("html").evaluate(e => [e.scrollWidth, e.clientWidth]);
        if (wide > view + 1)
            throw new Error(`${wide} wide in ${view}`);
        await shoot("cockpit-narrow");
        await page.setViewportSize({ width: 1150, height: 900 });
    });
    await check("it is dark where Cockpit is", async () => {
        await page.evaluate(() => localStorage.setItem("shell:style", "dark"));
        await page.reload();
        await frame.locator("#state.master").waitFor();
        const ground = await frame.locator("body").evaluate(e => getComputedStyle(e).backgroundColor);
        if (ground !== "rgb(21, 21, 21)")
            throw new Error(ground);
        await shoot("cockpit-dark");
        await page.evaluate(() => localStorage.setItem("shell:style", "light"));
    });
    await open("plain", "de-de");
    await check("it speaks German", async () => {
        await frame.locator("h2", { hasText: "Befehle" }).waitFor();
        await frame.locator("#words", { hasText: "n1 ist Master" }).waitFor();
        await shoot("cockpit-german");
    });
    await context.close();
}

main().then(() => process.exit(0), error => {
    console.log("not ok - the browser went on: " + error.message);
    page?.screenshot({ path: path.join(WORK, "pictures", "end.png") }).finally(() => process.exit(1));
});
