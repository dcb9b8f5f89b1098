// An installed package in use, by operators and by somebody who is none; hogs, ends in the middle of a run, upgraded, removed, purged.
// One VM; the tests are steps of one story and stand in its order.
import assert from "node:assert/strict";
import { before, describe } from "node:test";
import { quote } from "./host.mjs";
import { accessTests } from "./package-access.mjs";
import { it, packageMachine } from "./package-machine.mjs";
import { endingTests, hogTests, INTERRUPTED, layerTests } from "./package-runs.mjs";
import { INSTALL, PAGES_PORT, PATIENT, POLICY } from "./package-vm.mjs";

describe("the life of an installed package", { timeout: 3_600_000 }, () => {
  const { vm, words, untouched, files, mounts } = packageMachine("package-life");
  const { must, put, until } = words;

  before(async () => {
    if (vm() === undefined) return;
    await must(`${INSTALL} /opt/in/aaos.deb`);
    await put("/etc/aaos/policy.yaml", POLICY);
    // Node alone takes seconds to start here, and a page's time runs from the start of its worker.
    await put("/etc/aaos/agentd.yaml", "web: {timeout_s: 300}\n");
    await must("systemctl restart agentd.service");
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
    const { status, stdout, stderr, durationMs } = await vm().run(`agentd submit ${quote(goal)}`, {
      ...PATIENT,
      user: "ada",
    });
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`the goal took ${durationMs} ms`);
    assert.match(await must("cat /output/compare.md", "ada"), /Landlock/);
    assert.equal(await must("stat -c '%a %U:%G' /output/compare.md"), "660 aaos:aaos\n");
  });

  it("agentd selftest says that the machine is sound", async (t) => {
    const report = await vm().run("agentd selftest", PATIENT);
    t.diagnostic(`selftest took ${report.durationMs} ms`);
    assert.equal(report.status, 0, report.stdout + report.stderr);
  });

  accessTests(it, words);
  layerTests(it, words);
  hogTests(it, words);
  endingTests(it, words, vm);

  it("a daemon that cannot start does not fail the installation, which says what to do", async () => {
    await put("/etc/aaos/agentd.yaml", "log_level: loud\n");
    const { status, stdout, stderr } = await vm().run(`${INSTALL} /opt/in/aaos.deb`, PATIENT);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout + stderr, /agentd is not running.*journalctl -u agentd/);
    assert.notEqual((await vm().run("systemctl is-active agentd.service")).status, 0);
    await must("rm /etc/aaos/agentd.yaml");
  });

  it("an upgrade in the middle of a run starts the daemon again, the run ends, and the operator's files stay", async (t) => {
    await must("systemctl restart agentd.service");
    const id = await words.begin("TASK-LONG", "ada");
    await until(`agentd audit query --run ${id} --kind tool_invoked --json | grep -q perl`);
    await until("pgrep -u aaos -x perl >/dev/null");
    const { status, stdout, stderr, durationMs } = await vm().run(
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
    const { status, stdout, stderr } = await vm().run(
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
    assert.equal((await vm().run("pgrep -u aaos")).stdout, "");
    assert.equal((await vm().run("command -v agentd")).stdout, "");
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
    await put("/etc/credstore/aaos_z", "secret", "600");
    await put("/etc/aaos/credentials/y", "secret", "600");
    await must("DEBIAN_FRONTEND=noninteractive apt-get purge -q -y aaos");
    assert.equal(await mounts(), untouched().mounts);
    const left = [...(await files())].filter((path) => !untouched().files.has(path));
    assert.deepEqual(left, []);
    for (const entry of ["passwd aaos", "group aaos", "group aaos-admin"]) {
      assert.equal((await vm().run(`getent ${entry}`)).stdout, "");
    }
    assert.equal(await must("systemctl --failed --quiet --no-legend"), "");
    assert.equal(
      (await vm().run("ls -d /run/agentd /run/aaos-system.sock /run/credentials/agentd.service"))
        .stdout,
      "",
    );
  });
});
