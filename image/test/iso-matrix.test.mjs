// The long matrix of the ISO: every way to start it, machines that lack something, and who they are.
// Not part of CI: `npm run test:iso-matrix`, see docs/operations/iso-tests.md for what it costs and what came out.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { rootOf } from "./disk-roots.mjs";
import { bootIso, freePort, isReady, missingForIso, Operator, settled, theIso } from "./iso.mjs";
import { DOWN, ENTER } from "./person.mjs";
import { slotDisk } from "./slot-disk.mjs";
import { bootVm } from "./vm.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */
/** @typedef {import("./qemu.mjs").VmSpec} VmSpec */

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;

/** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip, timeout: 7_200_000 }, check);
}

describe("the ISO, every way", () => {
  /** @type {string} */
  let iso;
  /** @type {string} */
  let dir;

  before(async () => {
    if (skip !== false) return;
    iso = await theIso();
    dir = await mkdtemp(join(tmpdir(), "aaos-matrix-"));
  });

  after(async () => {
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /** Boots, waits until all is started, looks, and ends the machine. @param {Partial<VmSpec> & {name: string}} spec @param {(vm: Vm) => Promise<void>} look */
  async function withVm(spec, look) {
    const vm = await bootIso(iso, spec);
    try {
      await look(vm);
    } finally {
      await vm.close();
    }
  }

  it("UEFI, from a disc: starts to agentd ready", async (t) => {
    await withVm({ name: "iso-uefi", firmware: "uefi" }, async (vm) => {
      await isReady(vm, t);
      assert.equal((await vm.run("test -d /sys/firmware/efi")).status, 0);
    });
  });

  it("UEFI with Secure Boot, from a stick: Debian's signed chain is accepted, the kernel is locked down", async (t) => {
    await withVm({ name: "iso-sb", firmware: "secure-boot", medium: "stick" }, async (vm) => {
      await isReady(vm, t);
      assert.match(await vm.must("dmesg"), /secureboot: Secure boot enabled/i);
      assert.match(await vm.must("cat /sys/kernel/security/lockdown"), /\[integrity\]/);
    });
  });

  it("BIOS, from a stick, the second entry: runs from memory after the medium is gone", async (t) => {
    const spec = { name: "iso-ram", medium: /** @type {const} */ ("stick"), memoryMb: 3072 };
    const vm = await bootVm({ ...spec, iso, until: "menu", timeoutMs: 600_000 });
    try {
      vm.type("\u001b[B\r");
      await vm.booted();
      await isReady(vm, t);
      assert.match(await vm.must("cat /proc/cmdline"), / toram/);
      assert.match(await vm.must("findmnt -no FSTYPE /run/live/medium"), /tmpfs/);
    } finally {
      await vm.close();
    }
  });

  it("no network, no disk, 1 GB and a clock of 2010: starts, agentd answers, the screen says what is missing", async (t) => {
    const lacking = {
      name: "iso-poor",
      memoryMb: 1024,
      qemuArgs: ["-rtc", "base=2010-01-01T00:00:00"],
    };
    await withVm(lacking, async (vm) => {
      await isReady(vm, t);
      t.diagnostic(await vm.must("free --mega; date; swapon --show"));
      for (const missing of [
        /Network +no card was found/,
        /! No time server has set the clock, which says 20/,
        /! There is no disk: this system runs from its medium/,
        /! Only \d+ MB of memory/,
        /agentd +runs/,
      ])
        await vm.waitFor(missing, { timeoutMs: 300_000 });
      // A clock that has stopped stands at the image's own day at the earliest.
      assert.ok(Number(await vm.must("date +%s")) > Date.parse("2026-01-01") / 1000);
      const { status, stdout } = await vm.run("agentd doctor", { timeoutMs: 300_000 });
      assert.equal(status, 0, stdout);
    });
  });

  it("memory's file system is full: starts to the operator's screen all the same", async () => {
    const fill = `[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'dd if=/dev/zero of=/fill bs=1M || true'
`;
    const credentials = {
      "systemd.extra-unit.fill.service": fill,
      "systemd.unit-dropin.sysinit.target~fill": "[Unit]\nWants=fill.service\n",
    };
    await withVm({ name: "iso-full", credentials, memoryMb: 1536 }, async (vm) => {
      await vm.waitFor(/! \/ is full \(0 MB free\): remove files/, { timeoutMs: 900_000 });
      await vm.waitFor(/Nobody can log in yet/);
      assert.match(await vm.must("df --output=pcent / | tail -n 1"), /100%/);
    });
  });

  it("the menu's last entry gives a lost access back at this console: a new key, once, and nothing else changes", async () => {
    const port = await freePort();
    const [lost, found] = ["lost", "found"].map((name) => join(dir, name));
    for (const folder of [lost, found]) await mkdir(folder ?? "");
    const before = new Operator(lost ?? "", port);
    const after = new Operator(found ?? "", port);
    const given = `hostname: kept\nusers: [{name: aaos, ssh_keys: ["${await before.makeKey()}"]}]\n`;
    const vm = await bootVm({
      name: "iso-access",
      iso,
      until: "menu",
      timeoutMs: 600_000,
      memoryMb: 2048,
      net: "open",
      forwards: [{ hostPort: port, guestPort: 22 }],
      credentials: { "aaos.config": given },
    });
    const see = (/** @type {RegExp} */ pattern) => vm.waitFor(pattern, { timeoutMs: 300_000 });
    try {
      vm.type(`${DOWN.repeat(4)}${ENTER}`);
      await vm.booted();
      await settled(vm);
      await see(/r gives access back/);
      vm.type("r");
      await see(/How will you log in/);
      vm.type(DOWN + ENTER);
      await see(/The public key/);
      vm.type((await after.makeKey()) + ENTER);
      await see(/1 key may log in as aaos/);
      assert.equal((await after.ssh("uname -n")).stdout, "kept\n");
      assert.notEqual((await before.ssh("true")).status, 0, "the lost key is a key no more");
      await vm.must("test -e /run/aaos/access-answered");
    } finally {
      await vm.close();
    }
  });

  it("two machines from one medium differ in host key and machine id, and a slot keeps its own", async (t) => {
    const identity = async (/** @type {Vm} */ vm) => {
      await settled(vm);
      return vm.must("cat /etc/machine-id; ssh-keygen -lf /etc/aaos/ssh/ssh_host_ed25519_key");
    };
    /** @type {string[]} */
    const seen = [];
    const look = async (/** @type {Vm} */ vm) => {
      seen.push(...(await identity(vm)).trim().split("\n"));
    };
    await withVm({ name: "iso-one" }, look);
    await withVm({ name: "iso-two" }, look);
    assert.equal(new Set(seen).size, 4, seen.join("\n"));
    const disk = await slotDisk(await rootOf(), dir);
    const slot = {
      ...disk,
      name: "slot",
      until: /** @type {const} */ ("agent"),
      timeoutMs: 600_000,
    };
    const vm = await bootVm({ ...slot, memoryMb: 2048 });
    try {
      const first = await identity(vm);
      await vm.must("echo kept >/etc/kept; echo kept >/var/lib/aaos/kept; sync");
      assert.equal((await vm.run("touch /usr/x")).status, 1, "the root is read-only");
      await vm.powerCut();
      await vm.powerOn();
      assert.equal(await identity(vm), first);
      assert.equal(await vm.must("cat /etc/kept /var/lib/aaos/kept"), "kept\nkept\n");
      assert.match(await vm.must("readlink /run/aaos/disk/data"), /p8\n$/);
      await isReady(vm, t);
    } finally {
      await vm.close();
    }
  });
});
