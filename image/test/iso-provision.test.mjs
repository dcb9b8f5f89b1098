// A machine that is given a file at its first boot: from each place one good file, and ten wrong ones. Part of `npm run test:iso-matrix`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bootIso, freePort, missingForIso, Operator, settled, theIso } from "./iso.mjs";
import { disc, fatStick, goodFile, goodUserData, SECRET, WRONG_FILES } from "./provision-files.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const missing = missingForIso();
const skip = missing === undefined ? false : `skipped: ${missing}`;
const PATIENT = { timeoutMs: 600_000 };
const CREDENTIAL = "/run/credentials/@system/aaos.config";
// GRUB's editor of an entry, whose third line is what the test adds to: next line, to the end of it, start.
const CTRL_N = "\u000e";
const CTRL_E = "\u0005";
const CTRL_X = "\u0018";
const FW_CFG = "/sys/firmware/qemu_fw_cfg/by_name/opt/aaos/config/raw";

/** @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
function it(rule, check) {
  test(rule, { skip, timeout: 3_600_000 }, check);
}

describe("a machine that is given a file", () => {
  /** @type {string} */
  let iso;
  /** @type {string} */
  let dir;
  /** @type {string} */
  let key;
  /** @type {Set<string>} what makes each machine itself */
  const identities = new Set();
  let machines = 0;

  before(async () => {
    if (skip !== false) return;
    iso = await theIso();
    dir = await mkdtemp(join(tmpdir(), "aaos-provision-"));
    key = await new Operator(dir, 0).makeKey();
  });

  after(async () => {
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /**
   * @param {Partial<import("./qemu.mjs").VmSpec> & {name: string}} spec
   * @param {(vm: Vm, operator: Operator) => Promise<void>} look
   * @param {string} [word] typed at the boot menu, behind the first entry's kernel arguments
   */
  async function withVm(spec, look, word) {
    const port = await freePort();
    const forwards = [{ hostPort: port, guestPort: 22 }];
    const until = word === undefined ? "agent" : "menu";
    const vm = await bootIso(iso, { net: "open", forwards, until, ...spec });
    try {
      if (word !== undefined) {
        vm.type("e");
        await vm.waitFor(/start \$screen/);
        vm.type(`${CTRL_N}${CTRL_N}${CTRL_E} '${word}'${CTRL_X}`);
        await vm.booted();
      }
      await settled(vm);
      await look(vm, new Operator(dir, port, spec.name));
    } finally {
      await vm.close();
    }
  }

  /** The machine is what the file says, and no secret lies about. @param {Vm} vm @param {Operator} operator @param {string} name @param {RegExp} source */
  async function isProvisioned(vm, operator, name, source) {
    const outcome = JSON.parse(await vm.must("cat /run/aaos/provision.json"));
    assert.equal(outcome.state, "applied", JSON.stringify(outcome));
    assert.match(outcome.source, source);
    assert.equal(await vm.must("uname -n; cat /etc/hostname"), `${name}\n${name}\n`);
    assert.match(await vm.must("date +%Z"), /CET|CEST/);
    // Sealed for the machine where systemd can, else in plain for root alone.
    const [plain, sealed] = [
      "/etc/aaos/credentials/github",
      "/etc/credstore.encrypted/aaos_github",
    ];
    const read = `cat ${plain} 2>/dev/null || systemd-creds decrypt --name=aaos_github ${sealed} -`;
    assert.equal((await vm.must(read)).trim(), SECRET);
    assert.match(await vm.must(`stat -c %a ${plain} ${sealed} 2>/dev/null || true`), /^600\n$/);
    assert.match(await vm.must("id ada"), /\(aaos\)/);
    assert.doesNotMatch(await vm.must("cat /etc/aaos/aaos.yaml"), /sk-provisioned/);
    const come = await operator.ssh("uname -n");
    assert.equal(come.stdout, `${name}\n`, come.stderr);
    assert.match(await vm.must("agentd doctor || true", PATIENT), /provisioning/);
    const id = "cat /etc/machine-id; ssh-keygen -lf /etc/aaos/ssh/ssh_host_ed25519_key; uname -n";
    machines += 1;
    for (const word of (await vm.must(id)).trim().split("\n")) identities.add(word);
  }

  it("by SMBIOS: becomes what the file says; then ten wrong ones at each place are refused whole, and it stays reachable", async (t) => {
    const spec = {
      name: "prov-smbios",
      credentials: { "aaos.config": goodFile("box1", key) },
      disks: [await fatStick(dir, "EMPTY", {})],
    };
    await withVm(spec, async (vm, operator) => {
      await isProvisioned(vm, operator, "box1", /system credential/);
      // A later boot with something else changes nothing: it has its file.
      await vm.must("agentd provision boot");
      assert.match(await vm.must("cat /run/aaos/provision.json"), /done_before/);
      // The same machine as if it had not been given anything.
      await vm.must("rm /etc/aaos/aaos.yaml; mv /etc/aaos/ssh/authorized_keys.d /run/kept-keys");
      await vm.must("mkdir /etc/aaos/ssh/authorized_keys.d; cat /proc/cmdline >/run/real");
      const state =
        "sha256sum /etc/hostname /etc/passwd /etc/shadow /etc/aaos/*.yaml; readlink /etc/localtime; ls /etc/aaos/* /etc/systemd/network";
      const before = await vm.must(`${state} 2>&1 || true`);
      const places = {
        "command line": {
          put: 'echo "$(cat /run/real) aaos.config=/run/wrong.yaml" >/run/cmdline; mount --bind /run/cmdline /proc/cmdline',
          away: "umount /proc/cmdline",
        },
        volume: {
          put: "mkdir -p /run/v; mkfs.ext4 -q -F -L AAOS-CONFIG /dev/nvme0n1; mount /dev/nvme0n1 /run/v; cp /run/wrong.yaml /run/v/aaos.yaml; umount /run/v; udevadm trigger --settle /dev/nvme0n1",
          away: "dd if=/dev/zero of=/dev/nvme0n1 bs=64k count=1 status=none; udevadm trigger --settle /dev/nvme0n1",
        },
        firmware: {
          put: `mount --bind /run/wrong.yaml ${CREDENTIAL}`,
          away: `umount ${CREDENTIAL}`,
        },
      };
      for (const [place, { put, away }] of Object.entries(places)) {
        for (const { text, says } of WRONG_FILES) {
          await vm.must(`cat >/run/wrong.yaml; ${put}`, { stdin: text });
          const { status, stdout } = await vm.run("agentd provision boot --json", PATIENT);
          await vm.must(away);
          const outcome = JSON.parse(stdout);
          assert.equal(status, 1, `${place}: ${text}${stdout}`);
          assert.equal(outcome.state, "refused");
          assert.match(outcome.problems.join("\n"), says, `${place}: ${text}`);
          assert.equal(await vm.must(`${state} 2>&1 || true`), before, `${place}: ${text}`);
        }
        const { stdout } = await vm.run("agentd doctor", PATIENT);
        assert.match(stdout, /✗ provisioning +refused whole: .*:\d+: /, place);
        t.diagnostic(`${place}: ${WRONG_FILES.length} refused`);
      }
      await vm.must("rmdir /etc/aaos/ssh/authorized_keys.d");
      await vm.must("mv /run/kept-keys /etc/aaos/ssh/authorized_keys.d");
      assert.equal((await operator.ssh("true")).status, 0, "reachable all the same");
    });
  });

  it("a wrong file at the first boot: refused with line and field on screen, in the journal and by doctor; the machine is up", async () => {
    const spec = {
      name: "prov-wrong",
      credentials: { "aaos.config": "hostname: fine\nusers: [{nam: a}]\n" },
    };
    await withVm(spec, async (vm, operator) => {
      const said = /:2: users\[0\]\.nam: is unknown/;
      await vm.waitFor(/was refused/);
      await vm.waitFor(said);
      assert.match(await vm.must("journalctl -b -u aaos-provision --no-pager"), said);
      assert.match((await vm.run("agentd doctor", PATIENT)).stdout, said);
      assert.equal(await vm.must("uname -n"), "aaos\n");
      assert.equal(await vm.must("systemctl --failed --quiet --no-legend"), "");
      const refused = await operator.ssh("true");
      assert.match(refused.stderr, /Permission denied \(publickey\)/, "sshd answers");
    });
  });

  it("by a stick AAOS-CONFIG: its secrets are taken out of it", async () => {
    const stick = await fatStick(dir, "AAOS-CONFIG", { "aaos.yaml": goodFile("box2", key) });
    await withVm({ name: "prov-stick", disks: [stick] }, async (vm, operator) => {
      await isProvisioned(vm, operator, "box2", /aaos\.yaml on the volume AAOS-CONFIG/);
      await vm.must("mount -o ro /dev/nvme0n1 /mnt");
      assert.doesNotMatch(await vm.must("cat /mnt/aaos.yaml; umount /mnt"), /sk-provisioned/);
    });
  });

  it("by a disc CIDATA with NoCloud's user-data: that its secrets stay there is told", async () => {
    const cidata = await disc(dir, "CIDATA", {
      "user-data": goodUserData("box3", key),
      "meta-data": "instance-id: box3\n",
    });
    await withVm({ name: "prov-cidata", disks: [cidata] }, async (vm, operator) => {
      await isProvisioned(vm, operator, "box3", /user-data on the volume CIDATA/);
      assert.equal(await vm.must("cat /srv/hello"), "hello");
      assert.match(
        await vm.must("cat /run/aaos/provision.json"),
        /secrets are still on the volume/,
      );
    });
  });

  it("by fw_cfg", async () => {
    const file = join(dir, "box4.yaml");
    await writeFile(file, goodFile("box4", key));
    const qemuArgs = ["-fw_cfg", `name=opt/aaos/config,file=${file}`];
    await withVm({ name: "prov-fwcfg", qemuArgs }, async (vm, operator) => {
      assert.equal((await vm.run(`test -e ${FW_CFG}`)).status, 0);
      await isProvisioned(vm, operator, "box4", /fw_cfg/);
    });
  });

  it("by the kernel's command line: a URL with its digest", async () => {
    const text = goodFile("box5", key);
    const server = createServer((_request, response) => response.end(text));
    await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const digest = createHash("sha256").update(text).digest("hex");
    const word = `aaos.config=http://10.0.2.2:${port}/aaos.yaml#sha256=${digest}`;
    try {
      const look = (/** @type {Vm} */ vm, /** @type {Operator} */ operator) =>
        isProvisioned(vm, operator, "box5", /aaos\.config=http/);
      await withVm({ name: "prov-url" }, look, word);
    } finally {
      server.close();
    }
  });

  it("machines from one medium differ in machine id, host key and name", async () => {
    assert.ok(machines >= 2, `${machines} machines`);
    assert.equal(identities.size, machines * 3, [...identities].join("\n"));
  });
});
