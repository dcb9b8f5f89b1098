// What the image is measured by: time and memory against Debian alone, programs that are added to it, and the conformance suite on its
// own kernel. Part of `npm run test:iso-matrix`.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { rootOf } from "./disk-roots.mjs";
import { command } from "./host.mjs";
import { bootIso, isReady, missingForIso, settled, theIso } from "./iso.mjs";
import { ROOT_PARTUUID } from "./qemu.mjs";
import { makeRoot } from "./root.mjs";
import { slotDisk } from "./slot-disk.mjs";
import { tinyArchive } from "./tiny-archive.mjs";
import { bootVm } from "./vm.mjs";

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const repo = join(import.meta.dirname, "../..");
const LONG = { timeoutMs: 3_600_000 };

/** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip, timeout: 7_200_000 }, check);
}

describe("the ISO, measured", () => {
  /** @type {string} */
  let iso;
  /** @type {string} */
  let dir;

  before(async () => {
    if (skip !== false) return;
    iso = await theIso();
    dir = await mkdtemp(join(tmpdir(), "aaos-measured-"));
  });

  after(async () => {
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
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
          // At rest: the consoles' programs have ended, and the selftest.
          const busy = "pgrep -f 'system consol[e]|selftes[t]' >/dev/null";
          await vm.must(`sleep 60; while ${busy}; do sleep 2; done`, { timeoutMs: 600_000 });
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
    // The attempts' own programs (python3, curl, make) are no part of the image: a Debian 13 beside it brings them.
    const { image } = await makeRoot({ packages: ["curl", "git", "make", "python3"] });
    const debian = join(dir, "debian.img");
    await command("cp", ["--sparse=always", image, debian]);
    const shares = ["dist", "native", "node_modules"].map((name) => ({
      from: join(repo, name),
      to: `/opt/aaos/${name}`,
    }));
    const vm = await bootIso(iso, {
      name: "iso-conformance",
      disks: [debian],
      shares,
      memoryMb: 4096,
    });
    try {
      await settled(vm);
      await vm.must(
        `mkdir /run/debian && mount /dev/disk/by-partuuid/${ROOT_PARTUUID} /run/debian && echo '{"type":"module"}' >/opt/aaos/package.json`,
      );
      // systemd knows the users of its own root alone.
      await vm.must("useradd --uid $(chroot /run/debian id -u test) test");
      const { status, stdout, stderr, durationMs } = await vm.run(
        "systemd-run --quiet --wait --pipe -p RootDirectory=/run/debian -p MountAPIVFS=yes -p BindReadOnlyPaths=/opt/aaos -p Delegate=yes -p User=test node /opt/aaos/dist/conformance/main.js --confined --no-report",
        LONG,
      );
      t.diagnostic(`${durationMs} ms\n${stdout}${stderr}`);
      assert.equal(status, 0, stdout + stderr);
    } finally {
      await vm.close();
    }
  });
});
