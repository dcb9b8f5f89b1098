// The installed disk, from the root that the ISO carries: made, started, upgraded, spoilt, left by itself, cut off; beside another
// appliance's disk, which nobody may touch. `npm run test:disk`; docs/operations/upgrades.md has its figures.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  beginGoal,
  bootDisk,
  bundleOf,
  endOf,
  flipped,
  LONG,
  makeDisk,
  mediumOf,
  proofOf,
  slotsOf,
  startsOf,
  untilSlot,
} from "./disk.mjs";
import { newerRoot, rootOf, spoiltRoot } from "./disk-roots.mjs";
import { command } from "./host.mjs";
import { missingForIso } from "./iso.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;

describe("an installed disk", () => {
  /** @type {string} */
  let dir;
  /** @type {string} */
  let otherDisk;
  /** @type {Vm} */
  let vm;
  let otherWritten = 0;

  before(async () => {
    if (skip !== false) return;
    dir = await mkdtemp(join(tmpdir(), "aaos-disk-"));
    const root = await rootOf();
    const disk = join(dir, "disk.raw");
    otherDisk = join(dir, "other.raw");
    for (const each of [disk, otherDisk]) await makeDisk(root, each);
    otherWritten = (await stat(otherDisk)).mtimeMs;
    const bundles = join(dir, "bundles");
    await mkdir(bundles);
    const put = (/** @type {string} */ from, /** @type {string} */ name) =>
      command("cp", [from, join(bundles, `${name}.raucb`)]);
    const newer = await newerRoot(root, "90.0.0");
    const bundle = await bundleOf(newer, "newer");
    await put(bundle, "newer");
    await put(await bundleOf(newer, "other", { AAOS_COMPATIBLE: "other-machine" }), "other");
    await put(await bundleOf(await spoiltRoot(root, "91.0.0"), "spoilt"), "spoilt");
    await flipped(bundle, join(bundles, "flipped.raucb"), 100_000_000);
    await put(bundle, "truncated");
    await command("truncate", ["-s", "200M", join(bundles, "truncated.raucb")]);
    const medium = join(dir, "bundles.img");
    await mediumOf(bundles, medium);
    await rm(bundles, { recursive: true });
    vm = await bootDisk(disk, { name: "disk", failure: "panic" }, [otherDisk, medium]);
  });

  after(async () => {
    await vm?.close();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
  const it = (rule, check) => test(rule, { skip, timeout: 3_600_000 }, check);

  const mount = () => vm.must("mkdir -p /run/b && mount -o ro /dev/disk/by-id/virtio-disk2 /run/b");

  it("the first slot proves itself and is kept; users other than root do not reach RAUC", async (t) => {
    assert.match(await proofOf(vm), /works and is kept/);
    t.diagnostic(
      `power on to agent ${vm.timings.agentMs} ms; proof ${await upFor(vm)} s after the kernel's start`,
    );
    const { running, slots } = await slotsOf(vm, "--verify");
    assert.equal(running, "A");
    const { confirmed, tries, intact } = slots[0];
    assert.deepEqual({ confirmed, tries, intact }, { confirmed: true, tries: 0, intact: true });
    const mark =
      "busctl call de.pengutronix.rauc / de.pengutronix.rauc.Installer Mark ss good booted";
    const { status, stderr } = await vm.run(mark, { user: "aaos" });
    assert.notEqual(status, 0);
    assert.match(stderr, /denied|not permitted/i);
    const greeting = await vm.must(
      "bash -lic 'cat /etc/profile.d/aaos.sh' && test -e /usr/lib/aaos/development-key",
    );
    assert.match(greeting, /DEVELOPMENT KEY/);
  });

  it("what is damaged or for another machine is refused with its reason, and nothing has changed", async () => {
    await mount();
    const before = await slotsOf(vm);
    for (const [name, reason] of [
      ["truncated", /truncated|not signed/],
      ["flipped", /damaged: its content is not what was signed/],
      ["other", /is for "other-machine"/],
    ]) {
      const { status, stderr } = await vm.run(`agentd system upgrade /run/b/${name}.raucb`, LONG);
      assert.equal(status, 2, stderr);
      assert.match(stderr, /** @type {RegExp} */ (reason));
    }
    assert.deepEqual((await slotsOf(vm)).slots, before.slots);
  });

  it("an upgrade brings settings, users and identity along, and is kept when it works; the goal that was running ends after the start", async (t) => {
    await vm.must("echo mine >/etc/marker; useradd -m ada; echo kept >/data/file");
    const identity = await vm.must("cat /etc/machine-id /etc/aaos/ssh/*.pub");
    const name = (await vm.must("basename $(readlink -f /dev/disk/by-id/virtio-disk0)")).trim();
    const written = async () =>
      Number(await vm.must(`awk '{print $7 * 512}' /sys/block/${name}/stat`));
    const before = await written();
    const { durationMs } = await vm.run("agentd system upgrade /run/b/newer.raucb", LONG);
    const size = Number(await vm.must("stat -c %s /run/b/newer.raucb"));
    const amplification = ((await written()) - before) / size;
    t.diagnostic(
      `bundle ${size} bytes; written to the disk ${amplification.toFixed(2)} times that`,
    );
    const run = await beginGoal(vm);
    const began = performance.now();
    await vm.reboot();
    const proof = await proofOf(vm);
    t.diagnostic(
      `written in ${durationMs} ms; from reboot to proof ${Math.round(performance.now() - began)} ms`,
    );
    assert.match(proof, /slot B, version 90\.0\.0, works and is kept/);
    assert.equal(await endOf(vm, run), "succeeded");
    const taken = await vm.must(`agentd audit query --run ${run} --kind run_recovered`, LONG);
    assert.notEqual(taken, "", "it was under way at the reboot, and was taken up");
    assert.notEqual(await vm.must("cat /output/summary.md"), "");
    assert.equal(await vm.must("cat /etc/machine-id /etc/aaos/ssh/*.pub"), identity);
    assert.equal(await vm.must("cat /etc/marker /data/file && id -un ada"), "mine\nkept\nada\n");
    const { running, version, slots } = await slotsOf(vm, "--verify");
    assert.deepEqual({ running, version }, { running: "B", version: "90.0.0" });
    assert.deepEqual(
      slots.map((/** @type {any} */ it) => it.intact),
      [true, true],
    );
    assert.match(await vm.must("agentd audit verify", LONG), /the journal is whole/);
  });

  it("a slot whose kernel panics is left by itself within its tries, and the story is told", async (t) => {
    await mount();
    await vm.must("agentd system upgrade /run/b/spoilt.raucb", LONG);
    const seen = startsOf(vm).length;
    const began = performance.now();
    await vm.run("systemctl reboot").catch(() => {});
    await untilSlot(vm, "B", seen + 1);
    assert.match(await proofOf(vm), /slot A \(version 91\.0\.0\) was left for B/);
    t.diagnostic(
      `from reboot to the old slot's proof ${Math.round((performance.now() - began) / 1000)} s`,
    );
    assert.equal(startsOf(vm).slice(seen), "AAAB");
    const { next, fallback } = await slotsOf(vm);
    assert.equal(next, "B");
    assert.match(fallback.reason, /it never came up/);
    const told = await vm.must("agentd audit query --kind slot_fallback", LONG);
    assert.match(told, /slot A \(version 91\.0\.0\) was left for B/);
  });

  it("a power cut in the middle of an upgrade leaves the slot that runs", async () => {
    await mount();
    const upgrade = "agentd system upgrade --allow-downgrade /run/b/newer.raucb";
    const cut = vm.run(upgrade, LONG).catch(() => {}); // the cut ends it
    await vm.must(
      "until [ $(systemctl show -P ActiveState rauc) = active ]; do sleep 0.5; done; sleep 8",
      LONG,
    );
    await vm.powerCut();
    await cut;
    await vm.powerOn();
    assert.match(await proofOf(vm), /slot B, version 90\.0\.0, works/);
    const { slots } = await slotsOf(vm);
    assert.equal(slots[0].bootable, false);
    assert.equal((await vm.run("agentd audit verify", LONG)).status, 0);
  });

  it("the other appliance's disk, in the machine all the while, was never written to", async () => {
    assert.equal((await stat(otherDisk)).mtimeMs, otherWritten);
  });
});

/** Seconds from the kernel's start to the end of the proof. @param {Vm} vm */
async function upFor(vm) {
  const at = await vm.must("systemctl show -P ExecMainExitTimestampMonotonic aaos-health");
  return Math.round(Number(at) / 1e6);
}
