// The ISO, started once as somebody's first machine: under BIOS, from a disc, with a network card. What the appliance promises of
// itself is looked at in that one boot; docs/operations/iso-tests.md names the longer ones.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { quote } from "./host.mjs";
import {
  activeAfter,
  bootIso,
  freePort,
  missingForIso,
  Operator,
  settled,
  theIso,
} from "./iso.mjs";
import { servePages } from "./pages.mjs";
import { DOWN, ENTER, scriptedModel } from "./person.mjs";

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const PATIENT = { timeoutMs: 300_000 };
const MAX_IDLE_MB = 220;
// The selftest of each start has ended, whatever came of it.
const SELFTESTED = "until [ -s /run/aaos/selftest.json ]; do sleep 2; done";
const CTRL_C = "\u0003";

/** A test that is skipped, with the reason and counted by itself, where no ISO can be built. @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip }, check);
}

describe("the ISO", { timeout: 3_600_000 }, () => {
  /** @type {import("./vm.mjs").Vm} */
  let vm;
  /** @type {Operator} */
  let operator;
  /** @type {string} */
  let dir;
  /** @type {string} */
  let key;
  /** @type {Awaited<ReturnType<typeof servePages>>} */
  let pages;

  before(async () => {
    if (skip !== false) return;
    const iso = await theIso();
    dir = await mkdtemp(join(tmpdir(), "aaos-iso-"));
    pages = await servePages();
    const port = await freePort();
    operator = new Operator(dir, port);
    key = await operator.makeKey();
    const forwards = [{ hostPort: port, guestPort: 22 }];
    vm = await bootIso(iso, { name: "iso-bios", net: "open", forwards });
  });

  after(async () => {
    await vm?.close();
    await pages?.close();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  it("shows its menu on the serial console, and starts by itself to agentd ready", async (t) => {
    assert.match(vm.serialLog, /Start aaOS from memory/);
    assert.match(vm.serialLog, /Install aaOS to a disk/);
    assert.match(vm.serialLog, /Start aaOS, serial console first/);
    const state = await settled(vm);
    t.diagnostic(`guest agent ${vm.timings.agentMs} ms after power on`);
    t.diagnostic(
      `agentd active ${await activeAfter(vm, "agentd.service")} s after the kernel's start`,
    );
    t.diagnostic(
      (await vm.run("systemd-analyze; systemd-analyze blame --no-pager | head -n 12")).stdout,
    );
    assert.equal(state, "running", (await vm.run("systemctl --failed --no-pager")).stdout);
    assert.equal(await vm.must("systemctl is-active agentd.service"), "active\n");
    await vm.must(SELFTESTED, { timeoutMs: 600_000 });
    const provision = "systemctl show -P ExecMainStartTimestampMonotonic aaos-provision";
    assert.equal(await vm.must(provision), "0\n", "no source, no program started for it");
  });

  it("has no failed unit, no ordering cycle and no tainted kernel", async () => {
    assert.equal(await vm.must("systemctl --failed --quiet --no-legend"), "");
    assert.doesNotMatch(await vm.must("journalctl -b --no-pager"), /ordering cycle|Found .*cycle/i);
    assert.equal(await vm.must("cat /proc/sys/kernel/tainted"), "0\n");
    assert.equal(await vm.must("journalctl -b -p err --no-pager -q -o cat"), "");
  });

  it("agentd doctor is green, and every layer of confinement is in force on this kernel", async (t) => {
    const { status, stdout, stderr } = await vm.run("agentd doctor", PATIENT);
    t.diagnostic(stdout);
    assert.equal(status, 0, stdout + stderr);
    assert.match(await vm.must("uname -r"), /^6\.12\./);
  });

  it("sits idle in its budget of memory", async (t) => {
    // Consoles at rest hold no program.
    await vm.must("until ! pgrep -f 'system consol[e]' >/dev/null; do sleep 2; done", PATIENT);
    const used = "free --mega | awk '/^Mem:/ {print $3}'";
    const mb = Number(await vm.must(`sleep 5; ${used}`));
    const shared = Number(await vm.must("free --mega | awk '/^Mem:/ {print $5}'"));
    t.diagnostic(
      await vm.must(
        "cat /proc/meminfo | head -n 28; systemctl list-units --type=service --state=running --no-legend --plain",
      ),
    );
    t.diagnostic(
      `${mb} MB used, ${shared} MB of it files in memory; ${await vm.must("ps -eo rss,comm --sort=-rss | head -n 8")}`,
    );
    assert.ok(mb <= MAX_IDLE_MB, `${mb} MB used`);
  });

  it("listens on SSH alone, and drops what else comes in", async () => {
    const open = await vm.must(
      "ss -Hltun | awk '{print $1, $5}' | grep -v -e 127.0.0. -e '::1' -e ':68' -e ':546' | sort -u",
    );
    assert.deepEqual(open.trim().split("\n"), ["tcp 0.0.0.0:22", "tcp [::]:22"]);
    assert.match(await vm.must("nft list chain inet aaos input"), /policy drop/);
  });

  it("has no password, and takes none over SSH", async () => {
    const shadow = await vm.must("cut -d: -f1,2 /etc/shadow");
    for (const line of shadow.trim().split("\n"))
      assert.match(line, /^[^:]+:(!\*?|\*|!\*|!!|!.*)$/, line);
    const refused = await operator.ssh("true", {
      options: ["PreferredAuthentications=password,keyboard-interactive,publickey"],
    });
    assert.equal(refused.status, 255);
    assert.match(refused.stderr, /Permission denied \(publickey\)/);
  });

  it("at the console a person is led through the first boot, leaves it, and comes in over SSH as an admin that the daemon is not", async () => {
    const see = (/** @type {RegExp} */ pattern) => vm.waitFor(pattern, PATIENT);
    await see(/Nobody can log in yet. Press s/);
    vm.type("s");
    await see(/How will you log in/);
    vm.type(DOWN + ENTER);
    await see(/The public key/);
    vm.type(`no key at all${ENTER}`);
    await see(/is no public key[\s\S]*How will you log in/);
    vm.type(DOWN + ENTER);
    await see(/is no public key[\s\S]*The public key/);
    vm.type(`${key}${ENTER}`);
    await see(/1 key may log in as aaos/);
    await see(/The machine's name/);
    vm.type(`-one${ENTER}`);
    await see(/The time zone/);
    vm.type(ENTER);
    await see(/Which provider's models/);
    vm.type(CTRL_C);
    await see(/From another machine: {2}ssh aaos@10\.0\.2\.15/);
    assert.equal(await vm.must("uname -n; cat /etc/hostname"), "aaos-one\naaos-one\n");
    const who = await operator.ssh("id -nG; sudo -n id -u");
    assert.equal(who.status, 0, who.stderr);
    assert.match(who.stdout, /aaos-admin/);
    assert.match(who.stdout, /\n0\n$/);
    const admin = (await vm.must("getent group aaos-admin")).split(":")[2];
    const groups = await vm.must(
      "sed -n 's/^Groups://p' /proc/$(systemctl show -P MainPID agentd.service)/status",
    );
    assert.ok(
      !groups
        .trim()
        .split(/\s+/)
        .includes(admin ?? ""),
      groups,
    );
    assert.notEqual((await operator.ssh("true", { user: "root" })).status, 0);
  });

  it("Enter on the console opens a login; a key shows the log", async () => {
    vm.type("l");
    await vm.waitFor(/Any key goes back/, PATIENT);
    vm.type("x");
    // Back on the screen; where it has not been drawn yet, the key is lost as it would be for a person.
    for (let tries = 0; !/aaos-one login:/.test(vm.serialLog) && tries < 20; tries += 1) {
      await sleep(5_000);
      vm.type(ENTER);
    }
    assert.match(vm.serialLog, /aaos-one login:/);
  });

  it("greets the operator with how it is and three commands; system status tells the rest", async (t) => {
    const options = ["RequestTTY=force"];
    const greeting = await operator.ssh("bash -lic true", { options });
    assert.match(greeting.stdout, /aaOS .* on aaos-one, agentd active, selftest passed/);
    for (const command of ["submit", "list", "doctor"])
      assert.ok(greeting.stdout.includes(`  agentd ${command}`), greeting.stdout);
    const status = await operator.ssh("agentd system status --json");
    assert.equal(status.status, 0, status.stderr);
    const { machine } = JSON.parse(status.stdout);
    assert.equal(machine.booted_from, "live");
    assert.equal(machine.selftest.ok, true);
    t.diagnostic(`the selftest took ${machine.selftest.elapsed_ms} ms`);
  });

  it("an operator's goal over a page of the network is carried out by the builtin provider", async (t) => {
    const policy = `network: {allow: ["10.0.2.2:${pages.port}"], deny: []}\n`;
    await vm.must("cat >/etc/aaos/policy.yaml; systemctl restart agentd.service", {
      stdin: policy,
      ...PATIENT,
    });
    const site = `http://10.0.2.2:${pages.port}`;
    const goal = `Fetch ${site}/landlock.html and ${site}/seccomp.html, compare them and write /output/compare.md`;
    const began = performance.now();
    const done = await operator.ssh(`agentd submit ${quote(goal)}`);
    assert.equal(done.status, 0, done.stdout + done.stderr);
    t.diagnostic(`the goal took ${Math.round(performance.now() - began)} ms`);
    const document = await operator.ssh("cat /output/compare.md");
    assert.match(document.stdout, /Landlock/, document.stderr);
  });

  it("the same by a model, configured in one command", async (t) => {
    const model = await scriptedModel();
    try {
      const server = `--api openai --base-url ${model.urlInVm} --model scripted`;
      const configured = await operator.ssh(
        `KEY=${model.key} agentd configure --provider own ${server} --key-from-env KEY`,
      );
      assert.equal(configured.status, 0, configured.stdout + configured.stderr);
      const site = `http://10.0.2.2:${pages.port}`;
      const goal = `Compare ${site}/landlock.html and ${site}/seccomp.html and write /output/model.md`;
      const done = await operator.ssh(`agentd submit ${quote(goal)}`);
      assert.equal(done.status, 0, done.stdout + done.stderr);
      assert.match((await operator.ssh("cat /output/model.md")).stdout, /# Findings/);
      t.diagnostic(`the model was asked ${model.calls()} times`);
      assert.ok(model.calls() > 3);
    } finally {
      await model.close();
    }
  });
});
