// Every way in which a slot can fail, UEFI with Secure Boot, installation from the ISO: what `disk.test.mjs` has no time for. Part of
// `npm run test:disk-matrix`, about an hour and a half on two quiet processors.
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  beginGoal,
  endOf,
  LONG,
  makeDisk,
  proofOf,
  slotsOf,
  startsOf,
  untilSlot,
} from "./disk.mjs";
import { DiskBase, MOUNT, VERY_LONG } from "./disk-base.mjs";
import { command } from "./host.mjs";
import { bootIso, missingForIso, theIso } from "./iso.mjs";

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;

describe("installed disks, how they fail and how they are made", () => {
  const base = new DiskBase();
  let spoilt = "";

  before(async () => {
    if (skip !== false) return;
    await base.make();
    spoilt = await base.spoilt();
  });

  after(() => base.close());

  /** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
  const it = (rule, check) => test(rule, { skip, timeout: 7_200_000 }, check);

  for (const [failure, how, reason] of /** @type {const} */ ([
    ["selftest", "whose selftest fails", /agentd selftest: a goal did not end/],
    ["crash", "whose agentd crashes", /agentd\.service/],
    ["hang", "whose initrd hangs", /it never came up/],
    ["migration", "whose change of the database fails", /agentd/],
  ]))
    it(`a slot ${how} is left by itself within its tries, and the story is told`, async (t) => {
      const disk = await base.copy(failure, spoilt);
      const began = performance.now();
      const vm = await base.boot(disk, { name: `matrix-${failure}`, failure });
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
      await base.off(vm);
    });

  it("where the slot that failed has changed the database beyond the old one's reading, that says what it could use and what is lost", async () => {
    const disk = await base.copy("migrated", spoilt);
    const vm = await base.boot(disk, { name: "matrix-migrated", failure: "migrated" });
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
    await base.off(vm);
  });

  it("UEFI with Secure Boot: proven, upgraded, kept; the goal that was running ends", async (t) => {
    const disk = join(base.dir, "uefi.raw");
    await makeDisk(base.root, disk);
    const vm = await base.boot(disk, { name: "matrix-uefi", firmware: "secure-boot" });
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
    await base.off(vm);
  });

  it("r at the machine's own keyboard, in the second before it starts, gives lost access back at this console", async () => {
    const vm = await base.boot(await base.copy("access"), { name: "matrix-access" });
    assert.doesNotMatch(await vm.must("cat /proc/cmdline"), /aaos\.access/);
    const before = startsOf(vm).length;
    const r = { keys: [{ type: "qcode", data: "r" }] };
    const held = setInterval(() => {
      if (startsOf(vm).length > before) clearInterval(held);
      else void vm.qmp("send-key", r).catch(() => {});
    }, 200);
    await vm.reset().finally(() => clearInterval(held));
    assert.match(await vm.must("cat /proc/cmdline"), /aaos\.access=reset/);
    await vm.waitFor(/r gives access back/, { timeoutMs: 300_000 });
    await base.off(vm);
  });

  it("aaos.yaml installs from the ISO to the disk that it names, and leaves the other appliance's disk alone", async (t) => {
    const iso = await theIso();
    const disks = ["target", "other"].map((name) => join(base.dir, `${name}.raw`));
    const [target = "", other = ""] = disks;
    await command("truncate", ["-s", "8G", target]);
    await makeDisk(base.root, other);
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
    const vm = base.owned(
      await bootIso(iso, {
        ...{ name: "matrix-install", qemuArgs, timeoutMs: VERY_LONG },
        credentials: { "aaos.config": yaml },
      }),
    );
    await untilSlot(vm, "A");
    assert.match(await proofOf(vm), /works and is kept/);
    t.diagnostic(`ISO to proven disk ${Math.round((performance.now() - began) / 1000)} s`);
    assert.equal(await vm.must("cat /etc/hostname"), "installed\n");
    assert.equal((await stat(other)).mtimeMs, untouched);
    assert.equal(await endOf(vm, await beginGoal(vm)), "succeeded");
    await base.off(vm);
  });

  it("the dialog installs, after the disk's name has been typed; another name leaves the disk alone", async () => {
    const iso = await theIso();
    const target = join(base.dir, "dialog.raw");
    await command("truncate", ["-s", "8G", target]);
    const qemuArgs = [
      ...["-drive", `file=${target},if=none,id=r0,format=raw,cache=writeback`],
      ...["-device", "virtio-blk-pci,drive=r0,serial=DISK0,bootindex=1"],
    ];
    const vm = base.owned(
      await bootIso(iso, { name: "matrix-dialog", qemuArgs, timeoutMs: VERY_LONG }),
    );
    const dialog = (/** @type {string} */ last) =>
      vm.run(
        `printf 'serial:DISK0\\n${last}\\n' | script -qec 'agentd system install' /dev/null`,
        LONG,
      );
    assert.equal((await dialog("/dev/nonsense")).status, 4);
    assert.equal((await vm.run("blkid -p /dev/disk/by-id/virtio-DISK0")).stdout, "");
    const name = (await vm.must("readlink -f /dev/disk/by-id/virtio-DISK0")).trim();
    const { status, stdout } = await dialog(name);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /what was written was read back and is right/);
    await vm.run("systemctl reboot").catch(() => {});
    await untilSlot(vm, "A");
    assert.match(await proofOf(vm), /works and is kept/);
    await base.off(vm);
  });
});
