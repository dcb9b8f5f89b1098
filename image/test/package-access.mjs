// Who may what on an installed machine: ada and bob are operators (group aaos), eve is an admin and no operator (aaos-admin alone),
// test is nobody. Steps of the package's story: ada has carried out a goal before.
import assert from "node:assert/strict";
import { quote } from "./host.mjs";

/** @typedef {(rule: string, check: (t: import("node:test").TestContext) => Promise<void>) => void} It */

/** One request for every verb of the root service that can be undone here, and what shows that it was done. */
const REQUESTS = [
  [
    { verb: "set-credential", params: { name: "deepseek", secret: "not-a-real-key" } },
    "stat -c '%a %U' /etc/credstore.encrypted/aaos_deepseek | grep -qx '600 root'",
  ],
  [
    { verb: "control-daemon", params: { action: "restart" } },
    "test -s /run/credentials/agentd.service/aaos_deepseek",
  ],
  [
    { verb: "control-daemon", params: { action: "reload" } },
    "systemctl is-active --quiet agentd.service",
  ],
  [
    { verb: "add-operator", params: { user: "test", group: "aaos" } },
    "id -nG test | grep -qw aaos",
  ],
  [
    { verb: "remove-operator", params: { user: "test", group: "aaos" } },
    "! id -nG test | grep -qw aaos",
  ],
  [
    { verb: "remove-credential", params: { name: "deepseek" } },
    "! test -e /etc/credstore.encrypted/aaos_deepseek",
  ],
];

/** @param {It} it @param {ReturnType<typeof import("./package-vm.mjs").wordsFor>} words */
export function accessTests(it, { run, must }) {
  /** @param {string} user @param {unknown} request */
  const askRoot = (user, request) =>
    run(`node /opt/in/ask-system.mjs ${quote(JSON.stringify(request))}`, user);

  it("a user outside the group is refused, told how to come in, and cannot read the documents", async () => {
    const refused = await run("agentd list", "test");
    assert.equal(refused.status, 3);
    assert.match(refused.stderr, /adduser \$USER aaos/);
    assert.notEqual((await run("cat /output/compare.md", "test")).status, 0);
    assert.notEqual((await run("ls /var/lib/aaos", "ada")).status, 0);
  });

  it("an operator sees their own runs alone; another's is denied with the remedy; an admin sees all", async () => {
    const runs = async (/** @type {string} */ user) =>
      JSON.parse(await must("agentd list --all --json", user)).runs;
    const [adas] = await runs("ada");
    assert.equal(adas.state, "succeeded");
    assert.deepEqual(await runs("bob"), []);
    assert.ok(JSON.stringify(await runs("eve")).includes(adas.run_id));
    for (const verb of ["status", "stop", "result", "logs"]) {
      const { status, stdout, stderr } = await run(`agentd ${verb} ${adas.run_id}`, "bob");
      assert.equal(status, 1, verb + stdout + stderr);
      assert.match(stderr, /belongs to another user.*\n.*adduser \$USER aaos-admin/);
    }
    await must(`agentd status ${adas.run_id}`, "eve");
    assert.equal((await run("agentd audit verify", "ada")).status, 1);
    assert.match(await must("agentd audit verify", "eve"), /the journal is whole/);
    const calls = JSON.parse(
      (await must("agentd audit query --kind operator_call --json --limit 1000", "eve"))
        .split("\n")
        .find((line) => line.includes('"audit.verify"')) ?? "",
    );
    assert.equal(calls.allowed, false);
    assert.equal(calls.uid, Number(await must("id -u ada")));
    assert.ok(calls.groups.includes(Number(await must("getent group aaos | cut -d: -f3"))));
  });

  it("the root service is closed to operators and to the daemon, and does each verb for an admin who is not root", async () => {
    const [request] = REQUESTS[0] ?? [];
    assert.match((await askRoot("ada", request)).stdout, /EACCES/);
    assert.match((await askRoot("aaos", request)).stdout, /EACCES/);
    for (const [asked, shown] of REQUESTS) {
      const { stdout, stderr } = await askRoot("eve", asked);
      assert.match(stdout, /"type":"end"/, JSON.stringify(asked) + stdout + stderr);
      await must(String(shown));
    }
    const journal = await must("journalctl -q -t aaos-system AAOS_VERB=set-credential");
    assert.match(journal, /set-credential by uid \d+: done/);
    assert.doesNotMatch(await must("journalctl -q -o json -t aaos-system"), /not-a-real-key/);
  });

  it("a key in /etc/aaos/credentials reaches the daemon, and nobody else", async () => {
    await must(
      "printf not-a-real-key >/etc/aaos/credentials/deepseek; chmod 600 /etc/aaos/credentials/deepseek",
    );
    await must("cp /usr/share/doc/aaos/examples/providers.yaml /etc/aaos/");
    await must("systemctl restart agentd.service");
    const { checks } = JSON.parse((await run("agentd doctor --json")).stdout);
    const verdict = (/** @type {string} */ name) =>
      checks.find((/** @type {{name: string}} */ check) => check.name === name)?.verdict;
    assert.equal(verdict("credential deepseek"), "ok");
    assert.equal(verdict("credential anthropic"), "fail");
    for (const user of ["ada", "test"])
      assert.notEqual((await run("cat /etc/aaos/credentials/deepseek", user)).status, 0);
    await must("rm /etc/aaos/providers.yaml /etc/aaos/credentials/deepseek");
  });
}
