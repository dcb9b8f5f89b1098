// The package on the system it is made for: installed on a stock Debian 13 without a network, used by an operator and by somebody who
// is none, upgraded, removed, purged. One VM; the tests are steps of one story and stand in its order.
import assert from "node:assert/strict";
import { copyFile, cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command, missingPrograms, quote } from "./host.mjs";
import { makeRoot, missingForRoot } from "./root.mjs";
import { bootVm, missingForVm } from "./vm.mjs";

const checkout = join(import.meta.dirname, "../..");
const packages = join(checkout, "build/deb/out");
const notThere = missingPrograms(["dpkg-deb", "git", "unshare", "xz"]);
const missing =
  missingForVm() ??
  missingForRoot() ??
  (notThere.length > 0 ? `not installed: ${notThere.join(", ")}` : undefined);
const skip = missing === undefined ? false : `skipped: ${missing}`;

// Everything is emulated: Node alone takes seconds to start.
const PATIENT = { timeoutMs: 300_000 };
const INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --reinstall";
const PORT = 8099;
const POLICY = `network: {allow: ["*", "127.0.0.1:${PORT}"]}\n`;

/** A test that is skipped, with the reason and counted by itself, where no VM can run. @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip }, check);
}

describe("the package on a stock Debian 13", { timeout: 3_600_000 }, () => {
  /** @type {import("./vm.mjs").Vm} */
  let vm;
  /** @type {string} */
  let scratch;
  /** Every file of the machine before the package came. @type {Set<string>} */
  let untouched;

  /** @param {string} shellCommand @param {string} [user] */
  const must = (shellCommand, user) =>
    vm.must(shellCommand, user === undefined ? PATIENT : { ...PATIENT, user });

  /** Writes a file as root. @param {string} path @param {string} text @param {string} [mode] */
  const put = (path, text, mode = "644") =>
    must(`printf %s ${quote(text)} >${path} && chmod ${mode} ${path}`);

  /** What is on the root file system, but for what apt, dpkg, the journal and passwd(5)'s own backups leave of any package. */
  async function files() {
    const found = await must("find / -xdev -path /opt -prune -o -print");
    const ofTheSystem =
      /^\/(var\/(log|cache|lib\/(dpkg|apt|systemd)|tmp)|tmp|etc\/(passwd|group|shadow|gshadow)-)(\/|$)/;
    return new Set(found.split("\n").filter((path) => path !== "" && !ofTheSystem.test(path)));
  }

  before(async () => {
    if (skip !== false) return;
    await command(join(checkout, "packaging/build-deb"), []);
    scratch = await mkdtemp(join(tmpdir(), "aaos-package-"));
    const handedIn = join(scratch, "in");
    await mkdir(handedIn);
    const deb = (await readdir(packages)).find((name) => /^aaos_.*\.deb$/.test(name));
    assert.ok(deb !== undefined, "packaging/build-deb has made a package");
    await copyFile(join(packages, deb), join(handedIn, "aaos.deb"));
    const later = join(scratch, "later");
    await command("dpkg-deb", ["-R", join(packages, deb), later]);
    await command("sed", ["-i", "s/^Version: .*/&+later1/", join(later, "DEBIAN/control")]);
    await command("dpkg-deb", [
      "--root-owner-group",
      "-Zgzip",
      "-b",
      later,
      join(handedIn, "later.deb"),
    ]);
    await cp(join(checkout, "packaging/demo"), join(handedIn, "demo"), { recursive: true });
    const root = await makeRoot();
    vm = await bootVm({ ...root, name: "package", shares: [{ from: handedIn, to: "/opt/in" }] });
    await must("useradd --create-home --shell /bin/bash ada");
    untouched = await files();
  });

  after(async () => {
    await vm?.close();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  });

  it("installs without a network, and the daemon is active", async (t) => {
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
    t.diagnostic(
      (await must("systemd-analyze security --no-pager agentd.service | tail -n1")).trim(),
    );
  });

  it("owners and modes are the contract's, and no configuration file ships", async () => {
    const stat = await must(
      "stat -c '%a %U:%G %n' /data /output /etc/aaos /etc/aaos/credentials /var/lib/aaos /run/agentd /run/agentd/agentd.sock",
    );
    assert.deepEqual(stat.trim().split("\n"), [
      "2775 root:aaos /data",
      "2775 root:aaos /output",
      "755 root:root /etc/aaos",
      "700 root:root /etc/aaos/credentials",
      "700 aaos:aaos /var/lib/aaos",
      "750 aaos:aaos /run/agentd",
      "660 aaos:aaos /run/agentd/agentd.sock",
    ]);
    assert.doesNotMatch(await must("dpkg --status aaos"), /^Conffiles:/m);
    await must("getent passwd aaos; getent group aaos-admin");
  });

  it("the daemon sits in a subgroup of a cgroup that is its own", async () => {
    const group = (
      await must("cat /proc/$(systemctl show -P MainPID agentd.service)/cgroup")
    ).trim();
    assert.equal(group, "0::/system.slice/agentd.service/daemon");
    const above = "/sys/fs/cgroup/system.slice/agentd.service";
    assert.equal(await must(`stat -c %U ${above}/cgroup.subtree_control`), "aaos\n");
    assert.match(await must(`cat ${above}/cgroup.controllers`), /cpu.*io.*memory.*pids/);
  });

  it("agentd doctor finds nothing that fails", async (t) => {
    const report = await vm.run("agentd doctor", PATIENT);
    t.diagnostic(report.stdout);
    assert.equal(report.status, 0, report.stdout + report.stderr);
  });

  it("an unprivileged operator in group aaos has a goal carried out and reads its document", async (t) => {
    await put("/etc/aaos/policy.yaml", POLICY);
    await must("systemctl restart agentd.service");
    await must(
      `systemd-run --quiet --unit pages node -e ${quote(
        `const f=require("fs");require("http").createServer((q,r)=>r.setHeader("content-type","text/html").end(f.readFileSync("/opt/in/demo/pages/"+require("path").basename(q.url)))).listen(${PORT},"127.0.0.1")`,
      )}`,
    );
    await must("usermod --append --groups aaos ada");
    const site = `http://127.0.0.1:${PORT}`;
    const goal = `Fetch ${site}/landlock.html and ${site}/seccomp.html, compare them and write /output/compare.md`;
    const { status, stdout, stderr, durationMs } = await vm.run(`agentd submit ${quote(goal)}`, {
      ...PATIENT,
      user: "ada",
    });
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`the goal took ${durationMs} ms`);
    assert.match(await must("cat /output/compare.md", "ada"), /Landlock/);
    assert.equal(await must("stat -c '%U:%G' /output/compare.md"), "aaos:aaos\n");
  });

  it("a user outside the group is refused, told how to come in, and cannot read the documents", async () => {
    const refused = await vm.run("agentd list", { ...PATIENT, user: "test" });
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /group.*aaos/i);
    assert.notEqual((await vm.run("cat /output/compare.md", { user: "test" })).status, 0);
    assert.notEqual((await vm.run("ls /var/lib/aaos", { user: "ada" })).status, 0);
  });

  it("a key in /etc/aaos/credentials reaches the daemon, and nobody else", async () => {
    await put("/etc/aaos/credentials/deepseek", "not-a-real-key", "600");
    await must("cp /usr/share/doc/aaos/examples/providers.yaml /etc/aaos/");
    await must("systemctl restart agentd.service");
    const { checks } = JSON.parse((await vm.run("agentd doctor --json", PATIENT)).stdout);
    const verdict = (/** @type {string} */ name) =>
      checks.find((/** @type {{name: string}} */ check) => check.name === name)?.verdict;
    assert.equal(verdict("credential deepseek"), "ok");
    assert.equal(verdict("credential anthropic"), "fail");
    for (const user of ["ada", "test"]) {
      assert.notEqual((await vm.run("cat /etc/aaos/credentials/deepseek", { user })).status, 0);
    }
    await must("rm /etc/aaos/providers.yaml /etc/aaos/credentials/deepseek");
  });

  it("a daemon that cannot start does not fail the installation, which says what to do", async () => {
    await put("/etc/aaos/agentd.yaml", "log_level: loud\n");
    const { status, stdout, stderr } = await vm.run(`${INSTALL} /opt/in/aaos.deb`, PATIENT);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout + stderr, /agentd is not running.*journalctl -u agentd/);
    assert.notEqual((await vm.run("systemctl is-active agentd.service")).status, 0);
    await must("rm /etc/aaos/agentd.yaml");
  });

  it("an upgrade starts the daemon again and leaves the operator's files alone", async (t) => {
    const { status, stdout, stderr, durationMs } = await vm.run(
      `${INSTALL} /opt/in/later.deb`,
      PATIENT,
    );
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`upgraded after ${durationMs} ms`);
    assert.match(await must("dpkg --status aaos"), /^Version: .*\+later1$/m);
    assert.equal(await must("systemctl is-active agentd.service"), "active\n");
    assert.equal(await must("cat /etc/aaos/policy.yaml"), POLICY);
    assert.match(await must("agentd list --all", "ada"), /succeeded/);
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

  it("a purge leaves no file, user or group", async () => {
    await must(`${INSTALL} /opt/in/aaos.deb`);
    assert.equal(await must("systemctl is-active agentd.service"), "active\n");
    await must("DEBIAN_FRONTEND=noninteractive apt-get purge -q -y aaos");
    const left = [...(await files())].filter((path) => !untouched.has(path));
    assert.deepEqual(left, []);
    for (const entry of ["passwd aaos", "group aaos", "group aaos-admin"]) {
      assert.equal((await vm.run(`getent ${entry}`)).stdout, "");
    }
    assert.equal(await must("systemctl --failed --quiet --no-legend"), "");
    assert.equal((await vm.run("ls -d /run/agentd /run/credentials/agentd.service")).stdout, "");
  });
});
