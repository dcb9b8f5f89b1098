// The package on the system it is made for: installed on a stock Debian 13 without a network, used by an operator and by somebody who
// is none, upgraded, removed, purged. One VM; the tests are steps of one story and stand in its order.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { missingPrograms, quote } from "./host.mjs";
import { accessTests } from "./package-access.mjs";
import { endingTests, hogTests, INTERRUPTED, layerTests } from "./package-runs.mjs";
import { handIn, INSTALL, PAGES_PORT, PATIENT, POLICY, wordsFor } from "./package-vm.mjs";
import { makeRoot, missingForRoot } from "./root.mjs";
import { bootVm, missingForVm } from "./vm.mjs";

const notThere = missingPrograms(["dpkg-deb", "git", "unshare", "xz"]);
const missing =
  missingForVm() ??
  missingForRoot() ??
  (notThere.length > 0 ? `not installed: ${notThere.join(", ")}` : undefined);
const skip = missing === undefined ? false : `skipped: ${missing}`;

/** A test that is skipped, with the reason and counted by itself, where no VM can run. @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip }, check);
}

describe("A20 the package on a stock Debian 13", { timeout: 3_600_000 }, () => {
  /** @type {import("./vm.mjs").Vm} */
  let vm;
  /** @type {string} */
  let scratch;
  /** Every file of the machine before the package came. @type {Set<string>} */
  let untouched;
  /** Every mount of that time. @type {string} */
  let untouchedMounts;

  const words = wordsFor(() => vm);
  const { must, put, until } = words;

  /** What is on the root file system, but for what apt, dpkg, the journal and passwd(5)'s own backups leave of any package. */
  async function files() {
    const found = await must("find / -xdev -path /opt -prune -o -print");
    const ofTheSystem =
      /^\/(var\/(log|cache|lib\/(dpkg|apt|systemd)|tmp)|tmp|etc\/(passwd|group|shadow|gshadow)-)(\/|$)/;
    return new Set(found.split("\n").filter((path) => path !== "" && !ofTheSystem.test(path)));
  }

  const mounts = () => must("findmnt --noheadings --list --output TARGET | sort");

  before(async () => {
    if (skip !== false) return;
    scratch = await mkdtemp(join(tmpdir(), "aaos-package-"));
    const from = join(scratch, "in");
    await mkdir(from);
    await handIn(from);
    const root = await makeRoot();
    // More than one worker may use: its limit is to be met, not the machine's end.
    vm = await bootVm({
      ...root,
      name: "package",
      memoryMb: 2048,
      shares: [{ from, to: "/opt/in" }],
    });
    for (const user of ["ada", "bob", "eve"])
      await must(`useradd --create-home --shell /bin/bash ${user}`);
    await words.installScriptedModel();
    await words.allowSlowStart();
    untouched = await files();
    untouchedMounts = await mounts();
  });

  after(async () => {
    await vm?.close();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  });

  it("A22-1 A24-17 installs without a network, and the daemon is active", async (t) => {
    const { status, stdout, stderr, durationMs } = await vm.run(
      `${INSTALL} /opt/in/aaos.deb`,
      PATIENT,
    );
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`installed and started after ${durationMs} ms`);
    const state = await vm.run("systemctl is-active agentd.service");
    const journal = await must("journalctl --boot --unit agentd.service --no-pager --lines 60");
    assert.equal(state.stdout, "active\n", journal);
    assert.equal(await must("systemctl --failed --quiet --no-legend"), "");
    assert.equal(
      await must("ps -o user= -p $(systemctl show -P MainPID agentd.service)"),
      "aaos\n",
    );
    const since = async (/** @type {string} */ name) =>
      Number(await must(`systemctl show -P ${name} agentd.service`));
    const startMs =
      ((await since("ActiveEnterTimestampMonotonic")) -
        (await since("ExecMainStartTimestampMonotonic"))) /
      1_000;
    t.diagnostic(`the service was ready ${Math.round(startMs)} ms after its start`);
    t.diagnostic(
      (await must("systemd-analyze security --no-pager agentd.service | tail -n1")).trim(),
    );
  });

  it("owners and modes are the contract's, and no configuration file ships", async () => {
    const stat = await must(
      "stat -c '%a %U:%G %n' /data /output /etc/aaos /etc/aaos/credentials /var/lib/aaos /var/cache/aaos /run/agentd /run/agentd/agentd.sock /run/aaos-system.sock",
    );
    assert.deepEqual(stat.trim().split("\n"), [
      "2775 root:aaos /data",
      "2775 root:aaos /output",
      "755 root:root /etc/aaos",
      "700 root:root /etc/aaos/credentials",
      "700 aaos:aaos /var/lib/aaos",
      "700 aaos:aaos /var/cache/aaos",
      "750 aaos:aaos /run/agentd",
      "660 aaos:aaos /run/agentd/agentd.sock",
      "660 root:aaos-admin /run/aaos-system.sock",
    ]);
    assert.doesNotMatch(await must("dpkg --status aaos"), /^Conffiles:/m);
    await must("getent passwd aaos; getent group aaos-admin");
  });

  it("the daemon sits in a subgroup of a cgroup that is its own", async () => {
    const group = (await must(`sed -n s/^0:://p /proc/${await words.mainPid()}/cgroup`)).trim();
    assert.equal(group, "/system.slice/agentd.service/daemon");
    const above = "/sys/fs/cgroup/system.slice/agentd.service";
    assert.equal(await must(`stat -c %U ${above}/cgroup.subtree_control`), "aaos\n");
    assert.match(await must(`cat ${above}/cgroup.controllers`), /cpu.*io.*memory.*pids/);
  });

  it("agentd doctor finds nothing that fails", async (t) => {
    const report = await vm.run("agentd doctor", PATIENT);
    t.diagnostic(report.stdout);
    assert.equal(report.status, 0, report.stdout + report.stderr);
    const ms = async (/** @type {string} */ command) => (await vm.run(command)).durationMs;
    t.diagnostic(
      `node -e 0: ${await ms("node -e 0")} ms; agentd list: ${await ms("agentd list")} ms`,
    );
  });

  it("its messages reach systemd: ready, a status line, and a reload that waits for it", async () => {
    assert.match(await must("systemctl show -P StatusText agentd.service"), /^0 runs; default/);
    const pid = await words.mainPid();
    await put("/etc/aaos/policy.yaml", POLICY);
    await must("systemctl reload agentd.service");
    assert.equal(await words.mainPid(), pid);
    await until("journalctl -q AAOS_KIND=configuration_reloaded | grep -q .", 20);
  });

  it("an unprivileged operator in group aaos has a goal carried out and reads its document", async (t) => {
    await must(
      `systemd-run --quiet --unit pages node -e ${quote(
        `const f=require("fs");require("http").createServer((q,r)=>r.setHeader("content-type","text/html").end(f.readFileSync("/opt/in/demo/pages/"+require("path").basename(q.url)))).listen(${PAGES_PORT},"127.0.0.1")`,
      )}`,
    );
    await must("usermod --append --groups aaos ada; usermod --append --groups aaos bob");
    await must("usermod --append --groups aaos-admin eve");
    const site = `http://127.0.0.1:${PAGES_PORT}`;
    const goal = `Fetch ${site}/landlock.html and ${site}/seccomp.html, compare them and write /output/compare.md`;
    const { status, stdout, stderr, durationMs } = await vm.run(`agentd submit ${quote(goal)}`, {
      ...PATIENT,
      user: "ada",
    });
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`the goal took ${durationMs} ms`);
    assert.match(await must("cat /output/compare.md", "ada"), /Landlock/);
    assert.equal(await must("stat -c '%a %U:%G' /output/compare.md"), "660 aaos:aaos\n");
  });

  it("agentd selftest says that the machine is sound", async (t) => {
    const report = await vm.run("agentd selftest", PATIENT);
    t.diagnostic(`selftest took ${report.durationMs} ms`);
    assert.equal(report.status, 0, report.stdout + report.stderr);
  });

  accessTests(it, words);
  layerTests(it, words);
  hogTests(it, words);
  endingTests(it, words, () => vm);

  it("a daemon that cannot start does not fail the installation, which says what to do", async () => {
    await put("/etc/aaos/agentd.yaml", "log_level: loud\n");
    const { status, stdout, stderr } = await vm.run(`${INSTALL} /opt/in/aaos.deb`, PATIENT);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout + stderr, /agentd is not running.*journalctl -u agentd/);
    assert.notEqual((await vm.run("systemctl is-active agentd.service")).status, 0);
    await must("rm /etc/aaos/agentd.yaml");
  });

  it("an upgrade in the middle of a run starts the daemon again, the run ends, and the operator's files stay", async (t) => {
    await must("systemctl restart agentd.service");
    const id = await words.begin("TASK-LONG", "ada");
    await until("pgrep -u aaos -x perl >/dev/null");
    const { status, stdout, stderr, durationMs } = await vm.run(
      `${INSTALL} /opt/in/later.deb`,
      PATIENT,
    );
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`upgraded after ${durationMs} ms`);
    assert.match(await must("dpkg --status aaos"), /^Version: .*\+later1$/m);
    assert.equal(await must("systemctl is-active agentd.service"), "active\n");
    assert.equal(await must("cat /etc/aaos/policy.yaml"), POLICY);
    assert.equal(await words.ends(id, "ada"), INTERRUPTED);
  });

  it("a package that is older is refused with the reason, and the daemon goes on", async () => {
    const { status, stdout, stderr } = await vm.run(
      `${INSTALL} --allow-downgrades /opt/in/aaos.deb`,
      PATIENT,
    );
    assert.notEqual(status, 0);
    assert.match(stdout + stderr, /is older than .*\+later1, which is installed/);
    assert.match(stdout + stderr, /To go back: 'apt-get remove aaos'/);
    assert.match(await must("dpkg --status aaos"), /^Version: .*\+later1$/m);
    assert.match(await must("dpkg --status aaos"), /^Status: install ok installed$/m);
    assert.equal(await must("systemctl is-active agentd.service"), "active\n");
  });

  it("a removed package leaves the operator's files, and comes back where it was", async () => {
    await must("DEBIAN_FRONTEND=noninteractive apt-get remove -q -y aaos");
    assert.equal((await vm.run("pgrep -u aaos")).stdout, "");
    assert.equal((await vm.run("command -v agentd")).stdout, "");
    assert.equal(await must("cat /etc/aaos/policy.yaml"), POLICY);
    await must(`${INSTALL} /opt/in/aaos.deb`);
    assert.equal(await must("systemctl is-active agentd.service"), "active\n");
    assert.match(await must("agentd list --all", "ada"), /succeeded/);
  });

  it("a document of the operator's survives a purge, and belongs to nobody's number", async () => {
    await must("DEBIAN_FRONTEND=noninteractive apt-get purge -q -y aaos");
    assert.equal(
      await must("stat -c '%U:%G' /output /output/compare.md"),
      "root:root\nroot:root\n",
    );
    await must("rm -r /output");
  });

  it("A24-25 a purge leaves no file, user, group or mount, and no key", async () => {
    await must(`${INSTALL} /opt/in/aaos.deb`);
    assert.equal(await must("systemctl is-active agentd.service"), "active\n");
    await must(
      `printf secret | systemd-creds encrypt --name=aaos_x - /etc/credstore.encrypted/aaos_x`,
    );
    await put("/etc/aaos/credentials/y", "secret", "600");
    await must("DEBIAN_FRONTEND=noninteractive apt-get purge -q -y aaos");
    assert.equal(await mounts(), untouchedMounts);
    const left = [...(await files())].filter((path) => !untouched.has(path));
    assert.deepEqual(left, []);
    for (const entry of ["passwd aaos", "group aaos", "group aaos-admin"]) {
      assert.equal((await vm.run(`getent ${entry}`)).stdout, "");
    }
    assert.equal(await must("systemctl --failed --quiet --no-legend"), "");
    assert.equal(
      (await vm.run("ls -d /run/agentd /run/aaos-system.sock /run/credentials/agentd.service"))
        .stdout,
      "",
    );
  });
});
