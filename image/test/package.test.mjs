// The package on the system it is made for, as far as every run of the tests can afford it: installed on a stock Debian 13 without a
// network, confined, and known to systemd. What comes after is in package-life.test.mjs.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { it, packageMachine } from "./package-machine.mjs";
import { INSTALL, PATIENT, POLICY } from "./package-vm.mjs";

describe("A20 the package on a stock Debian 13", { timeout: 3_600_000 }, () => {
  const { vm, words } = packageMachine("package");
  const { must, put, until } = words;

  it("A22-1 A24-17 installs without a network, and the daemon is active", async (t) => {
    const { status, stdout, stderr, durationMs } = await vm().run(
      `${INSTALL} /opt/in/aaos.deb`,
      PATIENT,
    );
    assert.equal(status, 0, stdout + stderr);
    t.diagnostic(`installed and started after ${durationMs} ms`);
    const state = await vm().run("systemctl is-active agentd.service");
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
    const report = await vm().run("agentd doctor", PATIENT);
    t.diagnostic(report.stdout);
    assert.equal(report.status, 0, report.stdout + report.stderr);
    /** The quickest of five, in ms. @param {string} command */
    const quickest = async (command) => {
      const times = [];
      for (let n = 0; n < 5; n++) times.push((await vm().run(command, PATIENT)).durationMs);
      return Math.min(...times);
    };
    const bare = await quickest("node -e 0");
    const list = await quickest("agentd list");
    t.diagnostic(
      `node -e 0: ${bare} ms; agentd list: ${list} ms, ${(list / bare).toFixed(2)} times that`,
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
});
