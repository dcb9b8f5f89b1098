// What `disk.test.mjs` has no time for: every way in which a slot can fail, UEFI with Secure Boot, installation from the ISO, resets, backups
// between machines, trouble with the data volume. `npm run test:disk-matrix`, about an hour and a half on two quiet processors.
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
  LONG,
  makeDisk,
  mediumOf,
  overlayOf,
  proofOf,
  slotsOf,
  startsOf,
  untilOff,
  untilSlot,
} from "./disk.mjs";
import { newerRoot, rootOf, spoiltRoot } from "./disk-roots.mjs";
import { command } from "./host.mjs";
import { bootIso, missingForIso, theIso } from "./iso.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const MOUNT = "mkdir -p /run/b && mount -o ro /dev/disk/by-id/virtio-disk1 /run/b";
const PASSPHRASE = "echo 'correct horse battery staple' >/root/passphrase";
const VERY_LONG = 1_800_000;

describe("installed disks, the long matrix", () => {
  /** @type {string} */
  let dir;
  /** @type {string} */
  let root;
  /** @type {string} a disk whose slot A is proven */
  let proven;
  /** @type {string} the same with a spoilt slot B that starts next */
  let spoilt;
  /** @type {string} */
  let medium;
  /** @type {Set<Vm>} */
  const running = new Set();

  before(async () => {
    if (skip !== false) return;
    dir = await mkdtemp(join(tmpdir(), "aaos-matrix-"));
    root = await rootOf();
    proven = join(dir, "proven.raw");
    await makeDisk(root, proven);
    const bundles = join(dir, "bundles");
    await mkdir(bundles);
    for (const [made, name] of [
      [await newerRoot(root, "90.0.0"), "newer"],
      [await spoiltRoot(root, "91.0.0"), "spoilt"],
    ])
      await command("cp", [await bundleOf(made ?? "", name ?? ""), join(bundles, `${name}.raucb`)]);
    medium = join(dir, "bundles.img");
    await mediumOf(bundles, medium);
    await rm(bundles, { recursive: true });
    const vm = await boot(proven, { name: "matrix-first" });
    assert.match(await proofOf(vm), /works and is kept/);
    await off(vm);
    spoilt = join(dir, "spoilt.qcow2");
    await overlayOf(proven, spoilt);
    const next = await boot(spoilt, { name: "matrix-spoil" });
    await proofOf(next);
    await next.must(`${MOUNT} && agentd system upgrade /run/b/spoilt.raucb`, LONG);
    await off(next);
  });

  after(async () => {
    for (const vm of running) await vm.close();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /** @param {string} disk @param {Parameters<typeof bootDisk>[1]} spec */
  async function boot(disk, spec) {
    const vm = await bootDisk(disk, { timeoutMs: VERY_LONG, ...spec }, [medium]);
    running.add(vm);
    return vm;
  }

  /** @param {Vm} vm */
  async function off(vm) {
    await untilOff(vm);
    await vm.close();
    running.delete(vm);
  }

  /** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
  const it = (rule, check) => test(rule, { skip, timeout: 7_200_000 }, check);

  for (const [failure, how, reason] of /** @type {const} */ ([
    ["selftest", "whose selftest fails", /agentd selftest: a goal did not end/],
    ["crash", "whose agentd crashes", /agentd\.service/],
    ["hang", "whose initrd hangs", /it never came up/],
    ["migration", "whose change of the database fails", /agentd/],
  ]))
    it(`a slot ${how} is left by itself within its tries, and the story is told`, async (t) => {
      const disk = join(dir, `${failure}.qcow2`);
      await overlayOf(spoilt, disk);
      const began = performance.now();
      const vm = await boot(disk, { name: `matrix-${failure}`, failure });
      await untilSlot(vm, "A");
      assert.match(await proofOf(vm), /slot B \(version 91\.0\.0\) was left for A/);
      t.diagnostic(
        `${failure}: ${Math.round((performance.now() - began) / 1000)} s to the old slot's proof`,
      );
      assert.equal(startsOf(vm), "BBBA");
      const { fallback, next } = await slotsOf(vm);
      assert.equal(next, "A");
      assert.match(fallback.reason, reason);
      const told = await vm.must("agentd audit query --kind slot_fallback", LONG);
      assert.match(told, /slot B \(version 91\.0\.0\) was left for A/);
      await off(vm);
    });

  it("where the slot that failed has changed the database beyond the old one's reading, that says what it could use and what is lost", async () => {
    const disk = join(dir, "migrated.qcow2");
    await overlayOf(spoilt, disk);
    const vm = await boot(disk, { name: "matrix-migrated", failure: "migrated" });
    await untilSlot(vm, "A");
    await vm.must("until systemctl is-failed agentd; do sleep 2; done", { timeoutMs: VERY_LONG });
    const said = await vm.must("journalctl -b -u agentd -o cat --no-pager", LONG);
    assert.match(said, /needs a program of schema 99/);
    assert.match(said, /aaos\.db\.upgrade-from-[^ ]+.*events since then would be lost/);
    // As docs/operations/upgrades.md has it.
    await vm.must(
      "cd /var/lib/aaos && mkdir newer && mv aaos.db aaos.db-* newer/ ; cp -p aaos.db.upgrade-from-* aaos.db && systemctl reset-failed agentd && systemctl start agentd",
      LONG,
    );
    await vm.must("agentd selftest", LONG);
    await off(vm);
  });

  it("UEFI with Secure Boot: proven, upgraded, kept; the goal that was running ends", async (t) => {
    const disk = join(dir, "uefi.raw");
    await makeDisk(root, disk);
    const vm = await boot(disk, { name: "matrix-uefi", firmware: "secure-boot" });
    assert.match(await proofOf(vm), /works and is kept/);
    t.diagnostic(`power on to agent ${vm.timings.agentMs} ms`);
    assert.match(await vm.must("dmesg"), /secureboot: Secure boot enabled/);
    await vm.must(`${MOUNT} && agentd system upgrade /run/b/newer.raucb`, LONG);
    const run = await beginGoal(vm);
    const toProof = async () => {
      const began = performance.now();
      await vm.reboot();
      assert.match(await proofOf(vm), /slot B, version 90\.0\.0, works and is kept/);
      return performance.now() - began;
    };
    const upgraded = await toProof();
    assert.equal(await endOf(vm, run), "succeeded");
    const plain = await toProof();
    const ratio = (upgraded / plain).toFixed(2);
    t.diagnostic(
      `down for an upgrade ${Math.round(upgraded)} ms, for a plain start ${Math.round(plain)} ms: ${ratio}`,
    );
    await off(vm);
  });

  it("aaos.yaml installs from the ISO to the disk that it names, and leaves the other appliance's disk alone", async (t) => {
    const iso = await theIso();
    const disks = ["target", "other"].map((name) => join(dir, `${name}.raw`));
    const [target = "", other = ""] = disks;
    await command("truncate", ["-s", "8G", target]);
    await makeDisk(root, other);
    const untouched = (await stat(other)).mtimeMs;
    const qemuArgs = disks.flatMap((file, at) => [
      ...["-drive", `file=${file},if=none,id=r${at},format=raw,cache=writeback`],
      ...[
        "-device",
        `virtio-blk-pci,drive=r${at},serial=DISK${at}${at === 0 ? ",bootindex=1" : ""}`,
      ],
    ]);
    const yaml = "hostname: installed\ninstall: {disk: DISK0}\n";
    const began = performance.now();
    const vm = await bootIso(iso, {
      ...{ name: "matrix-install", qemuArgs, timeoutMs: VERY_LONG },
      credentials: { "aaos.config": yaml },
    });
    running.add(vm);
    await untilSlot(vm, "A");
    assert.match(await proofOf(vm), /works and is kept/);
    t.diagnostic(`ISO to proven disk ${Math.round((performance.now() - began) / 1000)} s`);
    assert.equal(await vm.must("cat /etc/hostname"), "installed\n");
    assert.equal((await stat(other)).mtimeMs, untouched);
    assert.equal(await endOf(vm, await beginGoal(vm)), "succeeded");
    await off(vm);
  });

  it("the dialog installs, after the disk's name has been typed; another name leaves the disk alone", async () => {
    const iso = await theIso();
    const target = join(dir, "dialog.raw");
    await command("truncate", ["-s", "8G", target]);
    const qemuArgs = [
      ...["-drive", `file=${target},if=none,id=r0,format=raw,cache=writeback`],
      ...["-device", "virtio-blk-pci,drive=r0,serial=DISK0,bootindex=1"],
    ];
    const vm = await bootIso(iso, { name: "matrix-dialog", qemuArgs, timeoutMs: VERY_LONG });
    running.add(vm);
    const dialog = (/** @type {string} */ last) =>
      vm.run(
        `printf 'serial:DISK0\\n${last}\\n' | script -qec 'agentd system install' /dev/null`,
        LONG,
      );
    assert.equal((await dialog("/dev/nonsense")).status, 4);
    assert.equal((await vm.run("blkid -p /dev/disk/by-id/virtio-DISK0")).stdout, "");
    const { status, stdout } = await dialog("/dev/vda");
    assert.equal(status, 0, stdout);
    assert.match(stdout, /what was written was read back and is right/);
    await vm.run("systemctl reboot").catch(() => {});
    await untilSlot(vm, "A");
    assert.match(await proofOf(vm), /works and is kept/);
    await off(vm);
  });

  it("a backup of one machine is restored on another: runs, secrets, a trail that verifies", async () => {
    const [one, two] = [join(dir, "one.qcow2"), join(dir, "two.qcow2")];
    for (const disk of [one, two]) await overlayOf(proven, disk);
    const from = await boot(one, { name: "matrix-backup" });
    await proofOf(from);
    const run = await beginGoal(from);
    assert.equal(await endOf(from, run), "succeeded");
    await from.must(
      `${PASSPHRASE}; agentd system backup /root/box.backup --passphrase-file /root/passphrase`,
      LONG,
    );
    await from.copyOut("/root/box.backup", dir);
    await off(from);
    const to = await boot(two, { name: "matrix-restore" });
    await proofOf(to);
    await to.copyIn(join(dir, "box.backup"), "/root/box.backup");
    await to.must(
      `${PASSPHRASE}; agentd system restore /root/box.backup --yes --passphrase-file /root/passphrase`,
      LONG,
    );
    assert.equal(await endOf(to, run), "succeeded");
    await to.must("agentd audit verify && agentd selftest", LONG);
    assert.match(await to.must("agentd audit query --kind backup_restored", LONG), /was made what/);
    await off(to);
  });

  it("a factory reset erases what was there, and spares keys and network where that was asked", async () => {
    const disk = join(dir, "reset.qcow2");
    await overlayOf(proven, disk);
    const vm = await boot(disk, { name: "matrix-reset" });
    await proofOf(vm);
    const keys = "/etc/aaos/ssh/authorized_keys.d/aaos";
    await vm.must(
      `echo key >${keys}; echo mine >/etc/marker; echo file >/data/file; echo kept >/etc/hostname`,
    );
    const before = await vm.must("cat /etc/machine-id");
    await vm.must("agentd system factory-reset --yes --keep-access", LONG);
    await vm.reboot();
    assert.match(await proofOf(vm), /works and is kept/);
    assert.equal(await vm.must(`cat ${keys} /etc/hostname`), "key\nkept\n");
    assert.notEqual(await vm.must("cat /etc/machine-id"), before);
    await vm.must("! test -e /etc/marker && ! test -e /data/file");
    assert.equal(JSON.parse(await vm.must("agentd --json list --all", LONG)).runs.length, 0);
    await vm.must("agentd system factory-reset --yes", LONG);
    await vm.reboot();
    assert.match(await proofOf(vm), /works and is kept/);
    await vm.must(`! test -e ${keys}`);
    await off(vm);
  });

  it("with a full data volume the machine starts, answers, and says so; an upgrade is refused for want of room", async () => {
    const disk = join(dir, "full.qcow2");
    await overlayOf(proven, disk);
    const vm = await boot(disk, { name: "matrix-full" });
    await proofOf(vm);
    await vm.run("dd if=/dev/zero of=/data/fill bs=1M status=none", { timeoutMs: VERY_LONG });
    await vm.reboot();
    await vm.must("until systemctl is-active ssh; do sleep 2; done", LONG);
    const { stdout } = await vm.run("agentd doctor", LONG);
    assert.match(stdout, /space|full|room/i);
    const refused = await vm.run(`${MOUNT} && agentd system upgrade /run/b/newer.raucb`, LONG);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /room|space|full/i);
    assert.equal((await slotsOf(vm)).next, "A");
    await vm.must("rm /data/fill");
    await vm.reboot();
    assert.match(await proofOf(vm), /works and is kept/);
    await off(vm);
  });

  it("with a data volume that cannot be repaired the machine starts on memory, answers SSH and says what is wrong; nothing is made anew", async () => {
    const disk = join(dir, "corrupt.qcow2");
    await overlayOf(proven, disk);
    const vm = await boot(disk, { name: "matrix-corrupt" });
    await proofOf(vm);
    // All copies of the superblock, while it is in use.
    await vm.must(
      "sync; d=$(readlink -f /run/aaos/disk/data); dd if=/dev/zero of=$d bs=1M count=600 conv=notrunc,fsync status=none",
    );
    await vm.powerCut();
    await vm.powerOn();
    await vm.must("until systemctl is-active ssh; do sleep 2; done", LONG);
    const { status, stdout } = await vm.run("agentd --json system status", LONG);
    assert.equal(status, 1);
    assert.match(JSON.parse(stdout).degraded, /cannot be repaired/);
    assert.match(await proofOf(vm), /cannot be repaired/);
    await vm.must("! blkid -p -t TYPE=ext4 $(readlink -f /run/aaos/disk/data)");
    await off(vm);
  });
});
