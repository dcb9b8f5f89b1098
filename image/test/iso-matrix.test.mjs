// The long matrix of the ISO: every way to start it, machines that lack something, and the conformance suite on the image's own kernel.
// Not part of CI: `npm run test:iso-matrix`, see docs/operations/iso-tests.md for what it costs and what came out.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { activeAfter, bootIso, missingForIso, settled, theIso } from "./iso.mjs";
import { rootOf, slotDisk } from "./slot-disk.mjs";
import { tinyArchive } from "./tiny-archive.mjs";
import { bootVm } from "./vm.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */
/** @typedef {import("./qemu.mjs").VmSpec} VmSpec */

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const repo = join(import.meta.dirname, "../..");
const LONG = { timeoutMs: 3_600_000 };

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

  /** Everything is started, nothing has failed, and agentd answers. @param {Vm} vm @param {import("node:test").TestContext} t */
  async function isReady(vm, t) {
    const state = await settled(vm);
    t.diagnostic(`agentd ${await activeAfter(vm, "agentd.service")} s after the kernel's start`);
    assert.equal(state, "running", (await vm.run("systemctl --failed --no-pager")).stdout);
    assert.equal(await vm.must("systemctl is-active agentd.service"), "active\n");
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
        /! No time server has set the clock: 20/,
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
      assert.match(await vm.must("readlink /run/aaos/disk/data"), /p8$/);
      await isReady(vm, t);
    } finally {
      await vm.close();
    }
  });

  it("starts about as fast as Debian alone, and needs how much more memory: ratios of one run", async (t) => {
    const plain = await theIso("--plain");
    /** @type {Record<"ours" | "plain", number[][]>} */
    const seen = { ours: [], plain: [] };
    for (const round of [1, 2]) {
      for (const [whose, medium] of /** @type {const} */ ([
        ["plain", plain],
        ["ours", iso],
      ])) {
        const name = `iso-ratio-${whose}-${round}`;
        const vm = await bootVm({
          name,
          iso: medium,
          until: "agent",
          timeoutMs: 600_000,
          memoryMb: 2048,
        });
        try {
          const at = performance.now() - vm.timings.agentMs;
          const unit = whose === "ours" ? "agentd.service" : "multi-user.target";
          const active = `until systemctl is-active --quiet ${unit}; do sleep 0.2; done`;
          await vm.must(active, { timeoutMs: 600_000 });
          const ready = (performance.now() - at) / 1000;
          await vm.must("systemctl is-system-running --wait || true", { timeoutMs: 600_000 });
          await vm.must("sleep 30");
          const mb = Number(await vm.must("free --mega | awk '/^Mem:/ {print $3}'"));
          seen[whose].push([ready, mb]);
          t.diagnostic(`${whose}: ready ${ready.toFixed(1)} s after power on, ${mb} MB used`);
        } finally {
          await vm.close();
        }
      }
    }
    const best = (/** @type {"ours" | "plain"} */ whose, /** @type {number} */ column) =>
      Math.min(...seen[whose].map((row) => row[column] ?? Number.NaN));
    const ratio = (/** @type {number} */ column) =>
      (best("ours", column) / best("plain", column)).toFixed(2);
    t.diagnostic(`ratio of time ${ratio(0)}, of memory ${ratio(1)}`);
  });

  it("a toolchain from an archive: its program is there, read-only, and again after a restart", async (t) => {
    const archive = await tinyArchive(dir);
    const disk = await slotDisk(await rootOf(), dir);
    const vm = await bootVm({
      ...disk,
      name: "toolchain",
      until: "agent",
      timeoutMs: 600_000,
      memoryMb: 2048,
      shares: [{ from: archive, to: "/run/archive" }],
    });
    try {
      await isReady(vm, t);
      // In the place of Debian's archive; the rest is what an operator does.
      await vm.must("rm -f /etc/apt/sources.list.d/*; cat >/etc/apt/sources.list", {
        stdin: "deb [trusted=yes] copy:/run/archive ./\n",
      });
      const added = await vm.must("agentd system toolchain add greeter", { timeoutMs: 300_000 });
      t.diagnostic(added);
      assert.match(added, /greeter: 2 packages, greeter_1\.0 libgreeting_1\.0/);
      assert.equal(await vm.must("/usr/bin/greeter"), "hello from a library\n");
      assert.notEqual((await vm.run("touch /usr/bin/x")).status, 0, "/usr stays read-only");
      assert.equal(await vm.must("systemctl is-active agentd.service"), "active\n");
      await vm.powerCut();
      await vm.powerOn();
      await isReady(vm, t);
      assert.equal(await vm.must("/usr/bin/greeter"), "hello from a library\n");
      await vm.must("agentd system toolchain remove greeter", { timeoutMs: 300_000 });
      assert.notEqual((await vm.run("test -e /usr/bin/greeter")).status, 0);
    } finally {
      await vm.close();
    }
  });

  it("the conformance suite on the image's kernel: nothing is allowed that is not accepted", async (t) => {
    const shares = ["dist", "native", "node_modules"].map((name) => ({
      from: join(repo, name),
      to: `/opt/aaos/${name}`,
    }));
    await withVm({ name: "iso-conformance", shares, memoryMb: 4096 }, async (vm) => {
      await settled(vm);
      await vm.must('mkdir -p /opt/aaos && echo \'{"type":"module"}\' >/opt/aaos/package.json');
      const suite = "cd /opt/aaos && node dist/conformance/main.js --confined --no-report";
      const { status, stdout, stderr, durationMs } = await vm.run(
        `systemd-run --quiet --wait --pipe -p Delegate=yes /bin/sh -c '${suite}'`,
        LONG,
      );
      t.diagnostic(`${durationMs} ms\n${stdout}${stderr}`);
      assert.equal(status, 0, stdout + stderr);
    });
  });
});
