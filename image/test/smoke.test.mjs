// The harness proves itself and the ground that the other VM tests stand on: Debian 13 boots cleanly, comes back from a power cut, and
// its kernel gives an unprivileged user what confinement needs. Each denial has its allowed twin.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { quote } from "./host.mjs";
import { guestProgram, makeRoot, missingForRoot } from "./root.mjs";
import { bootVm, missingForVm } from "./vm.mjs";

const missing = missingForVm() ?? missingForRoot();
const skip = missing === undefined ? false : `skipped: ${missing}`;

/** A test that is skipped, with the reason and counted by itself, where no VM can run. @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip }, check);
}

/**
 * A command of the user "test" in a leaf cgroup below a scope that systemd delegated to them, as agentd will do it.
 * @param {Record<string, string>} limits files of the leaf, e.g. memory.max @param {string} command
 */
function inDelegatedLeaf(limits, command) {
  const script = `set -eu
cg=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)
mkdir "$cg/daemon" "$cg/leaf"
echo $$ >"$cg/daemon/cgroup.procs"
echo "+memory +pids" >"$cg/cgroup.subtree_control"
${Object.entries(limits)
  .map(([file, value]) => `echo ${value} >"$cg/leaf/${file}"`)
  .join("\n")}
status=0
sh -c 'echo $$ >"$1/cgroup.procs"; exec ${command}' sh "$cg/leaf" || status=$?
echo "user $(id -un) status $status"
cat "$cg/leaf/memory.events" "$cg/leaf/pids.events"`;
  return `systemd-run --quiet --wait --collect --pipe --expand-environment=no -p Delegate=yes -p User=test /bin/sh -c ${quote(script)}`;
}

describe("a Debian 13 test VM", { timeout: 1_800_000 }, () => {
  /** @type {import("./vm.mjs").Vm} */
  let vm;
  /** @type {string} */
  let scratch;

  before(async () => {
    if (skip !== false) return;
    scratch = await mkdtemp(join(tmpdir(), "aaos-smoke-"));
    await mkdir(join(scratch, "bin"));
    await copyFile(await guestProgram("probe"), join(scratch, "bin/probe"));
    const root = await makeRoot();
    vm = await bootVm({
      ...root,
      name: "smoke",
      shares: [{ from: join(scratch, "bin"), to: "/opt/probe" }],
    });
  });

  after(async () => {
    await vm?.close();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  });

  it("boots to systemd running with no failed unit", async (t) => {
    t.diagnostic(
      `agent after ${vm.timings.agentMs} ms, running after ${vm.timings.readyMs} ms, QEMU holds ${vm.residentMb} MB`,
    );
    assert.equal(await vm.must("systemctl is-system-running"), "running\n");
    assert.equal(await vm.must("systemctl --failed --quiet --no-legend"), "");
    assert.match(vm.serialLog, /Linux version 6\.12/);
  });

  it("runs commands and tells status, signal, both outputs and stdin apart", async () => {
    const failed = await vm.run("cat; echo oops >&2; exit 7", { stdin: "hello" });
    assert.deepEqual(
      [failed.status, failed.signal, failed.stdout, failed.stderr],
      [7, 0, "hello", "oops\n"],
    );
    assert.equal((await vm.run("kill -9 $$")).signal, 9);
    const [slow, quick] = await Promise.all([vm.run("sleep 1; echo slow"), vm.run("echo quick")]);
    assert.ok(quick.durationMs < slow.durationMs, "commands run side by side");
    await assert.rejects(
      vm.run("echo begun >&2; sleep 60", { timeoutMs: 500 }),
      /not done within 500 ms/,
    );
  });

  it("a command of the user test runs in no group but its own", async () => {
    assert.equal(
      await vm.must("id; pwd", { user: "test" }),
      "uid=1000(test) gid=1000(test) groups=1000(test)\n/home/test\n",
    );
  });

  it("hands a tree in and gets it back byte for byte", async (t) => {
    const tree = join(scratch, "tree");
    await mkdir(join(tree, "deep"), { recursive: true });
    const bytes = randomBytes(8 << 20);
    await writeFile(join(tree, "deep/blob"), bytes, { mode: 0o640 });
    const began = performance.now();
    await vm.copyIn(tree, "/tmp/tree");
    const between = performance.now();
    await mkdir(join(scratch, "out"));
    await vm.copyOut("/tmp/tree", join(scratch, "out"));
    const end = performance.now();
    t.diagnostic(`8 MiB in ${Math.round(between - began)} ms, out ${Math.round(end - between)} ms`);
    assert.equal((await vm.must("stat -c '%a %U' /tmp/tree/deep/blob")).trim(), "640 root");
    assert.ok(bytes.equals(await readFile(join(scratch, "out/tree/deep/blob"))));
  });

  it("a share is mounted read-only", async () => {
    assert.equal((await vm.run("touch /opt/probe/x")).status, 1);
    assert.equal((await vm.run("/opt/probe/probe forks 1")).stdout, "forked 1\n");
  });

  it("the kernel is 6.12 with Landlock ABI 6", async () => {
    assert.match(await vm.must("uname -r"), /^6\.12\./);
    assert.equal(await vm.must("/opt/probe/probe landlock-abi", { user: "test" }), "6\n");
  });

  it("an unprivileged user may make a user namespace and mount in it", async () => {
    assert.equal((await vm.run("/opt/probe/probe userns", { user: "test" })).stdout, "ok\n");
  });

  it("an unprivileged user may make no user namespace when the system forbids it", async () => {
    const before = (await vm.must("sysctl -n user.max_user_namespaces")).trim();
    await vm.must("sysctl -qw user.max_user_namespaces=0");
    try {
      assert.match(
        (await vm.run("/opt/probe/probe userns", { user: "test" })).stdout,
        /^unshare: /,
      );
    } finally {
      await vm.must(`sysctl -qw user.max_user_namespaces=${before}`);
    }
  });

  it("memory.max of a delegated leaf kills an unprivileged user's process that exceeds it", async () => {
    const { stdout } = await vm.run(
      inDelegatedLeaf({ "memory.max": "64M" }, "/opt/probe/probe hog 128"),
    );
    assert.match(stdout, /user test status 137/);
    assert.match(stdout, /oom_kill 1/);
  });

  it("memory.max of a delegated leaf lets a process within it live", async () => {
    const { stdout } = await vm.run(
      inDelegatedLeaf({ "memory.max": "64M" }, "/opt/probe/probe hog 32"),
    );
    assert.match(stdout, /held 32\nuser test status 0/);
    assert.match(stdout, /oom_kill 0/);
  });

  it("pids.max of a delegated leaf stops an unprivileged user's forks", async () => {
    const { stdout } = await vm.run(
      inDelegatedLeaf({ "pids.max": "20" }, "/opt/probe/probe forks 100"),
    );
    assert.match(stdout, /forked 19 Resource temporarily unavailable/);
    assert.match(stdout, /max [1-9]\d*\s*$/);
  });

  it("pids.max of a delegated leaf allows the forks within it", async () => {
    const { stdout } = await vm.run(
      inDelegatedLeaf({ "pids.max": "120" }, "/opt/probe/probe forks 100"),
    );
    assert.match(stdout, /forked 100\n/);
  });

  it("a power cut keeps what was synced, and the system boots again", async (t) => {
    await vm.must("echo kept >/var/synced && sync /var/synced");
    const before = await vm.must("cat /proc/sys/kernel/random/boot_id");
    await vm.powerCut();
    await assert.rejects(vm.run("true"), /does not answer/);
    await vm.powerOn();
    t.diagnostic(`running again after ${vm.timings.readyMs} ms`);
    assert.equal(await vm.must("cat /var/synced"), "kept\n");
    assert.notEqual(await vm.must("cat /proc/sys/kernel/random/boot_id"), before);
    assert.equal(
      (await vm.run("/opt/probe/probe forks 1")).stdout,
      "forked 1\n",
      "shares are mounted again",
    );
  });

  it("the reset button ends what runs and the system boots again", async (t) => {
    const running = vm.run("sleep 600", { timeoutMs: 600_000 });
    const lost = assert.rejects(running, /reset/);
    await vm.reset();
    await lost;
    t.diagnostic(`running again after ${vm.timings.readyMs} ms`);
    assert.equal(await vm.must("cat /var/synced"), "kept\n");
  });
});
