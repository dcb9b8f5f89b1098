// The data volume of an installed disk: backups between machines, resets, and trouble. Part of `npm run test:disk-matrix`.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { beginGoal, endOf, LONG, proofOf, slotsOf } from "./disk.mjs";
import { DiskBase, MOUNT, VERY_LONG } from "./disk-base.mjs";
import { missingForIso } from "./iso.mjs";

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const PASSPHRASE = "echo 'correct horse battery staple' >/root/passphrase";

describe("the data volume of an installed disk", () => {
  const base = new DiskBase();

  before(async () => {
    if (skip !== false) return;
    await base.make();
  });

  after(() => base.close());

  /** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
  const it = (rule, check) => test(rule, { skip, timeout: 7_200_000 }, check);

  it("a backup of one machine is restored on another: runs, secrets, a trail that verifies", async () => {
    const [one, two] = [await base.copy("one"), await base.copy("two")];
    const from = await base.boot(one, { name: "matrix-backup" });
    await proofOf(from);
    const run = await beginGoal(from);
    assert.equal(await endOf(from, run), "succeeded");
    await from.must(
      `${PASSPHRASE}; agentd system backup /root/box.backup --passphrase-file /root/passphrase`,
      LONG,
    );
    await from.copyOut("/root/box.backup", base.dir);
    await base.off(from);
    const to = await base.boot(two, { name: "matrix-restore" });
    await proofOf(to);
    await to.copyIn(join(base.dir, "box.backup"), "/root/box.backup");
    await to.must(
      `${PASSPHRASE}; agentd system restore /root/box.backup --yes --passphrase-file /root/passphrase`,
      LONG,
    );
    assert.equal(await endOf(to, run), "succeeded");
    await to.must("agentd audit verify && agentd selftest", LONG);
    assert.match(await to.must("agentd audit query --kind backup_restored", LONG), /was made what/);
    await base.off(to);
  });

  it("a factory reset erases what was there, and spares keys and network where that was asked", async () => {
    const disk = await base.copy("reset");
    const vm = await base.boot(disk, { name: "matrix-reset" });
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
    await base.off(vm);
  });

  it("with a full data volume the machine starts, answers, and says so; an upgrade is refused for want of room", async () => {
    const disk = await base.copy("full");
    const vm = await base.boot(disk, { name: "matrix-full" });
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
    await base.off(vm);
  });

  it("with a data volume that cannot be repaired the machine starts on memory, answers SSH and says what is wrong; nothing is made anew", async () => {
    const disk = await base.copy("corrupt");
    const vm = await base.boot(disk, { name: "matrix-corrupt" });
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
    await base.off(vm);
  });
});
