// The installed disk, from the root that the ISO carries: made, started, upgraded, spoilt, left by itself, cut off.
// `npm run test:disk`; docs/operations/upgrades.md has its figures.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  bootDisk,
  flipped,
  makeBundle,
  makeDisk,
  otherRoot,
  proofOf,
  rootOf,
  slotsOf,
  untilSlot,
} from "./disk.mjs";
import { command } from "./host.mjs";
import { missingForIso } from "./iso.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const LONG = { timeoutMs: 600_000 };

describe("an installed disk", () => {
  /** @type {string} */
  let dir;
  /** @type {Vm} */
  let vm;

  before(async () => {
    if (skip !== false) return;
    dir = await mkdtemp(join(tmpdir(), "aaos-disk-"));
    const root = await rootOf();
    const disk = join(dir, "disk.raw");
    await makeDisk(root, disk);
    const bundles = join(dir, "bundles");
    await command("mkdir", ["-p", bundles]);
    const newer = await otherRoot(root, dir, "90.0.0");
    await makeBundle(newer, join(bundles, "newer.raucb"));
    await makeBundle(newer, join(bundles, "other.raucb"), { AAOS_COMPATIBLE: "other-machine" });
    await flipped(join(bundles, "newer.raucb"), join(bundles, "flipped.raucb"), 100_000_000);
    await command("truncate", ["-s", "200M", join(bundles, "truncated.raucb")]);
    const crashing = "echo 'process.exit(1)' >usr/lib/aaos/dist/daemon.js";
    await makeBundle(
      await otherRoot(root, dir, "91.0.0", crashing),
      join(bundles, "crashes.raucb"),
    );
    const medium = join(dir, "bundles.img");
    await command("mke2fs", ["-q", "-F", "-t", "ext4", "-d", bundles, medium, "3G"]);
    vm = await bootDisk(disk, { name: "disk" }, [medium]);
  });

  after(async () => {
    await vm?.close();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /** @param {string} rule @param {() => Promise<void>} check */
  const it = (rule, check) => test(rule, { skip, timeout: 3_600_000 }, check);

  const mount = () => vm.must("mkdir -p /run/b && mount -o ro /dev/disk/by-id/virtio-disk1 /run/b");

  it("the first slot proves itself and is kept; users other than root do not reach RAUC", async () => {
    assert.match(await proofOf(vm), /works and is kept/);
    const { running, slots } = await slotsOf(vm, "--verify");
    assert.equal(running, "A");
    const { confirmed, tries, intact } = slots[0];
    assert.deepEqual({ confirmed, tries, intact }, { confirmed: true, tries: 0, intact: true });
    const mark =
      "busctl call de.pengutronix.rauc / de.pengutronix.rauc.Installer Mark ss good booted";
    const { status, stderr } = await vm.run(mark, { user: "aaos" });
    assert.notEqual(status, 0);
    assert.match(stderr, /denied|not permitted/i);
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
    assert.deepEqual(await slotsOf(vm), before);
  });

  it("an upgrade brings settings, users and identity along, and is kept when it works", async () => {
    await vm.must("echo mine >/etc/marker; useradd -m ada; echo kept >/data/file");
    const identity = await vm.must("cat /etc/machine-id /etc/aaos/ssh/*.pub");
    await vm.must("agentd system upgrade /run/b/newer.raucb", LONG);
    await vm.reboot();
    assert.match(await proofOf(vm), /slot B, version 90\.0\.0, works and is kept/);
    assert.equal(await vm.must("cat /etc/machine-id /etc/aaos/ssh/*.pub"), identity);
    assert.equal(await vm.must("cat /etc/marker /data/file && id -un ada"), "mine\nkept\nada\n");
    const { running, version, slots } = await slotsOf(vm, "--verify");
    assert.deepEqual({ running, version }, { running: "B", version: "90.0.0" });
    assert.deepEqual(
      slots.map((/** @type {any} */ it) => it.intact),
      [true, true],
    );
  });

  it("a slot whose agentd crashes is left by itself, and the story is told", async () => {
    await mount();
    await vm.must("agentd system upgrade /run/b/crashes.raucb", LONG);
    await vm.reboot();
    await untilSlot(vm, "B");
    assert.match(await proofOf(vm), /slot A \(version 91\.0\.0\) was left for B/);
    const { fallback, next } = await slotsOf(vm);
    assert.equal(next, "B");
    assert.match(fallback.reason, /agentd\.service/);
  });

  it("a power cut in the middle of an upgrade leaves the slot that runs", async () => {
    await mount();
    const cut = vm.run("agentd system upgrade --allow-downgrade /run/b/newer.raucb", LONG);
    await vm.must(
      "until [ $(systemctl show -P ActiveState rauc) = active ]; do sleep 0.5; done; sleep 8",
      LONG,
    );
    await vm.powerCut();
    await cut.catch(() => {});
    await vm.powerOn();
    assert.match(await proofOf(vm), /slot B, version 90\.0\.0, works/);
    const { slots } = await slotsOf(vm);
    assert.equal(slots[0].bootable, false);
    assert.equal((await vm.run("agentd audit verify", LONG)).status, 0);
  });
});
