import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openMachine } from "../appliance/machine.js";
import { applyProvision } from "../appliance/provision/apply.js";
import { provisionAtBoot } from "../appliance/provision/at-boot.js";
import type { VerbContext } from "../appliance/verb.js";
import { appliedText, readProvision } from "../catalog/provision.js";
import { readSettings } from "../catalog/settings.js";
import { diskLayout, MIN_DISK_BYTES, PARTITION, partition } from "../protocol/disk-layout.js";
import { ProvisionFile } from "../protocol/provision-file.js";
import { cli } from "../test/cli-process.js";

// Real files below a root of its own; the programs of the machine are scripts that write down what they were asked, `mount` one that
// puts a folder where the volume would be. The tests in the VM ask the same of the booted image.
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0123456789abcdefghijklmnopqrstuv me@desk";
const OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9876543210abcdefghijklmnopqrstuv me@couch";
const host = openMachine();
const canInstall = ["sfdisk", "mke2fs", "debugfs"].every((name) => host.has(name));
const SECRET = "sk-provisioned-0123456789";

let dir: string;
let root: string;
let context: VerbContext;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-provision-"));
  root = join(dir, "root");
  const bin = join(dir, "bin");
  mkdirSync(bin);
  const log = `printf '%s' "\${0##*/}" >>${dir}/asked; printf ' <%s>' "$@" >>${dir}/asked; echo >>${dir}/asked`;
  for (const name of ["hostname", "useradd", "usermod", "gpasswd", "networkctl"])
    writeFileSync(join(bin, name), `#!/bin/sh\n${log}\n`, { mode: 0o755 });
  writeFileSync(join(bin, "chpasswd"), `#!/bin/sh\n${log}\n/bin/cat >>${dir}/asked\n`, {
    mode: 0o755,
  });
  writeFileSync(join(bin, "id"), '#!/bin/sh\n[ "$2" = aaos ]\n', { mode: 0o755 });
  writeFileSync(
    join(bin, "mount"),
    `#!/bin/sh\n${log}\n[ ! -e ${dir}/read-only ] || case "$1" in --rw) echo "write-protected" >&2; exit 32;; esac\nfor at; do :; done\n/bin/rmdir "$at" && /bin/ln -s ${dir}/volume "$at"\n`,
    { mode: 0o755 },
  );
  writeFileSync(join(bin, "umount"), `#!/bin/sh\n${log}\n/bin/rm "$1" && /bin/mkdir "$1"\n`, {
    mode: 0o755,
  });
  put("usr/share/zoneinfo/Europe/Berlin", "TZif");
  const machine = openMachine(root, [bin]);
  context = { machine, signal: new AbortController().signal, progress: () => {} };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const asked = (): string =>
  existsSync(join(dir, "asked")) ? readFileSync(join(dir, "asked"), "utf8") : "";
const never: typeof fetch = () => Promise.reject(new Error("nobody is asked here"));

function given(text: string): ProvisionFile {
  const file = readProvision(text, "aaos.yaml");
  if (!file.ok) throw new Error(JSON.stringify(file.problems));
  return file.file;
}

const GOOD = `hostname: box1
timezone: Europe/Berlin
users:
  - name: aaos
    ssh_keys: ["${KEY}"]
    password_hash: "$y$j9T$abc$def"
  - {name: ada, ssh_keys: ["${OTHER}"], admin: false}
network:
  ethernets:
    eth0: {match: {macaddress: "52:54:00:12:34:56"}, addresses: [192.0.2.10/24], gateway4: 192.0.2.1, nameservers: {addresses: [192.0.2.53]}}
provider: {provider: deepseek, key: ${SECRET}}
credentials: {github: ${SECRET}-2}
policy: {write: {allow: [/output]}}
roles:
  - {name: greeter, system_prompt: Greets., message_template: Go.}
upgrade: {channel: beta, url: "https://boxes.example/aaos", automatic: apply, window: "01:00-04:00"}
join: {url: "https://fleet.example/join", token: ${SECRET}-3}
`;

function volume(files: Readonly<Record<string, string>>, label = "AAOS-CONFIG"): void {
  mkdirSync(join(dir, "volume"), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, "volume", name), text);
  put(`dev/disk/by-label/${label}`, "");
}

describe("aaos.yaml applied", () => {
  it("makes the machine what it says, and keeps no secret outside the credentials", async () => {
    put("etc/aaos/agentd.yaml", "# mine\nlog_level: warn\n");
    await applyProvision(given(GOOD), context, never);
    expect(read("etc/aaos/agentd.yaml")).toMatch(/^# mine\nlog_level: warn\n/);
    expect(readSettings(join(root, "etc/aaos/agentd.yaml")).upgrade).toMatchObject({
      ...{ channel: "beta", url: "https://boxes.example/aaos" },
      ...{ automatic: "apply", window: "01:00-04:00" },
    });
    expect(read("etc/hostname")).toBe("box1\n");
    expect(readlinkSync(join(root, "etc/localtime"))).toBe("/usr/share/zoneinfo/Europe/Berlin");
    expect(read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
    const asks = asked();
    expect(asks).toContain("hostname <box1>");
    expect(asks).toContain("useradd <--create-home> <--shell> </bin/bash> <--groups> <aaos> <ada>");
    expect(asks).toContain("chpasswd <--encrypted>\naaos:$y$j9T$abc$def");
    const network = read("etc/systemd/network/50-aaos-eth0.network");
    expect(network).toContain("MACAddress=52:54:00:12:34:56");
    expect(network).toMatch(
      /DHCP=no\nAddress=192\.0\.2\.10\/24\nGateway=192\.0\.2\.1\nDNS=192\.0\.2\.53/,
    );
    expect(read("etc/aaos/providers.yaml")).toBe("default: deepseek\n");
    expect(read("etc/aaos/credentials/deepseek")).toBe(`${SECRET}\n`);
    expect(read("etc/aaos/credentials/join")).toBe(`${SECRET}-3\n`);
    expect(statSync(join(root, "etc/aaos/credentials/github")).mode & 0o777).toBe(0o600);
    expect(read("etc/aaos/policy.yaml")).toContain("/output");
    expect(read("etc/aaos/roles/greeter.yaml")).toContain("name: greeter");
    const kept = read("etc/aaos/aaos.yaml");
    expect(kept).toContain("hostname: box1");
    expect(kept).not.toMatch(/sk-provisioned|\$y\$/);
    expect(asks).not.toContain(SECRET);
  });

  it.each([
    ["an unknown key", "hostnam: x\n", /:1: hostnam: is unknown \(did you mean hostname/],
    ["a host name with a space", "hostname: my box\n", /:1: hostname: is no host name/],
    [
      "a key that is none",
      "users:\n  - {name: a, ssh_keys: [ssh-rsa]}\n",
      /:2: users\[0\]\.ssh_keys\[0\]: is no public key/,
    ],
    [
      "a plain password",
      "users:\n  - {name: a, password_hash: secret}\n",
      /password_hash: is no hash/,
    ],
    [
      "a key list over http",
      'users:\n  - {name: a, ssh_key_urls: ["http://x/y.keys"]}\n',
      /must be an https URL/,
    ],
    [
      "a user twice",
      "users:\n  - {name: a}\n  - {name: a}\n",
      /:3: users\[1\]\.name: 'a' is there twice/,
    ],
    [
      "an address without a prefix",
      "network:\n  ethernets:\n    e: {addresses: [192.0.2.1]}\n",
      /:3: network\.ethernets\.e\.addresses\[0\]/,
    ],
    ...[
      [
        "an address that is none",
        "addresses: [192.0.2.300/24]",
        /addresses\[0\]: is an address with/,
      ],
      [
        "a prefix that is too long",
        "addresses: [192.0.2.10/240]",
        /addresses\[0\]: is an address with/,
      ],
      ["a prefix of IPv6", 'addresses: ["2001:db8::1/129"]', /addresses\[0\]: is an address with/],
      ["a gateway of dots", 'gateway4: "..."', /gateway4: is an IPv4 address/],
      ["a gateway with a zone", 'gateway6: "fe80::1%eth0"', /gateway6: is an address/],
      [
        "a name server that is a name",
        "nameservers: {addresses: [dns]}",
        /addresses\[0\]: is an addr/,
      ],
      ["a way to nowhere", "routes: [{to: foo, via: 192.0.2.1}]", /to: is default, or a network/],
      [
        "a way with a line of its own",
        'routes: [{to: "192.0.2.0/24\\nGateway=192.0.2.9", via: 192.0.2.1}]',
        /to: is default, or a network/,
      ],
      ["a name with a line of its own", 'set-name: "a\\nb"', /set-name: is no name of a card/],
    ].map(([what, card, says]): [string, string, RegExp] => [
      String(what),
      `network:\n  ethernets:\n    e: {${String(card)}}\n`,
      new RegExp(`:3: network\\.ethernets\\.e\\..*${(says as RegExp).source}`),
    ]),
    [
      "a policy that means nothing",
      'policy:\n  network: {allow: ["a b"]}\n',
      /:2: policy\.network\.allow\[0\]/,
    ],
    [
      "a role with a capability that is none",
      "roles:\n  - {name: r, system_prompt: S, message_template: M, capabilities: [fly]}\n",
      /roles\[0\]\.capabilities\[0\]/,
    ],
    ["broken YAML", "hostname: [\n", /aaos\.yaml:/],
    [
      "a file below what the system owns",
      "files: [{path: /etc/sudoers.d/x, content: x}]\n",
      /:1: files\[0\]\.path: .*belongs to the system/,
    ],
    [
      "an unknown provider without an address",
      "hostname: fine\nprovider: {provider: homemade}\n",
      /:2: provider: 'homemade' is not in providers\.yaml/,
    ],
    [
      "a place that an installed disk does not keep",
      "install: {disk: S1}\nfiles:\n  - {path: /data/ok, content: x}\n  - {path: /srv/motd, content: x}\n",
      /:4: files\[1\]\.path: \/srv\/motd is read-only on an installed disk/,
    ],
    [
      "a file below another",
      "files:\n  - {path: /data/x, content: x}\n  - {path: /data/x/y, content: x}\n",
      /:3: files\[1\]\.path: .*lies below another file/,
    ],
    [
      "words in the place of a secret",
      `credentials:\n  github: "(kept as a credential)"\n`,
      /:2: credentials\.github: there is no credential 'github' here/,
    ],
    [
      "the operator as no admin",
      "users:\n  - {name: aaos, admin: false}\n",
      /:2: users\[0\]\.admin: 'aaos' is the operator/,
    ],
    [
      "an upgrade channel that is none",
      "upgrade: {channel: nightly}\n",
      /:1: upgrade\.channel: must be one of stable/,
    ],
  ])("%s is refused whole, with line and field", async (_what, text, says) => {
    const file = put("aaos.yaml", `${text}`);
    const ended = await cli(["provision", "validate", file]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
    const refused = await cli(["--root", root, "provision", "apply", file]);
    expect(refused.code).toBe(2);
    expect(existsSync(join(root, "etc"))).toBe(false);
  });

  it.each([
    ["timezone: Mars/Olympus\n", /there is no Mars\/Olympus/],
    ["files: [{path: /etc/sudoers.d/x, content: x}]\n", /belongs to the system/],
    ["files: [{path: /srv/../etc/shadow, content: x}]\n", /belongs to the system/],
    ["files: [{path: //etc/./aaos/x, content: x}]\n", /belongs to the system/],
    ["hostname: late\nprovider: {provider: homemade}\n", /^provider: 'homemade' is not in/],
    ['hostname: late\ncredentials: {a: "(kept as a credential)"}\n', /^credentials\.a: /],
    [
      'hostname: late\njoin: {url: "https://x.example", token: "(kept as a credential)"}\n',
      /^join\.token: /,
    ],
    [
      'hostname: late\nusers: [{name: a, ssh_key_urls: ["https://nowhere.invalid/a.keys"]}]\n',
      /nobody is asked here/,
    ],
  ])("%j is refused before anything is changed", async (text, says) => {
    await expect(applyProvision(given(text), context, never)).rejects.toThrow(says);
    expect(existsSync(join(root, "etc"))).toBe(false);
    expect(asked()).toBe("");
  });

  it("every form of address that is one is taken", async () => {
    const card = `{addresses: [192.0.2.10/32, "2001:db8::a/64", 0.0.0.0/0], gateway4: 192.0.2.1, gateway6: "fe80::1", set-name: lan0, routes: [{to: default, via: "2001:db8::1"}, {to: "::/0", via: "::1", metric: 5}], nameservers: {addresses: ["2001:db8::53"]}}`;
    await applyProvision(given(`network: {ethernets: {eth0: ${card}}}\n`), context, never);
    expect(read("etc/systemd/network/50-aaos-eth0.network")).toMatch(
      /Address=2001:db8::a\/64[\s\S]*Gateway=fe80::1[\s\S]*Destination=::\/0\nGateway=::1\nMetric=5/,
    );
  });

  it("what stands in the way on this machine is refused before anything is changed", async () => {
    put("etc/passwd", "root:x:0:0::/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n");
    put("etc/group", "staff:x:50:\nada:x:1000:\n");
    put("data/folder/file", "");
    const apply = (text: string) => applyProvision(given(text), context, never);
    const late = "hostname: late\n";
    await expect(apply(`${late}users: [{name: staff}]\n`)).rejects.toThrow(
      /^users\[0\]\.name: 'staff' is a group of the system/,
    );
    const file = (path: string) => `${late}files: [{path: ${path}, content: x}]\n`;
    await expect(apply(file("/data/folder"))).rejects.toThrow(/is a directory/);
    await expect(apply(file("/data/new/"))).rejects.toThrow(/is a directory/);
    await expect(apply(file("/data/folder/file/x"))).rejects.toThrow(/file is no directory/);
    expect(existsSync(join(root, "etc/hostname"))).toBe(false);
    expect(asked()).toBe("");
    // One who is there already has a group of that name.
    await apply("users: [{name: ada}]\n");
  });

  it("a file below what is read-only here is refused by its field", () => {
    put("srv/here", "");
    const file = put("aaos.yaml", "files: [{path: /srv/deep/motd, content: x}]\n");
    const agentd = join(import.meta.dirname, "../agentd.js");
    const script = `mount --bind "$1/srv" "$1/srv" && mount -o remount,bind,ro "$1/srv" && exec "$2" "$3" --root "$1" provision validate "$4"`;
    const ended = spawnSync(
      "unshare",
      ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"].concat([
        ...[root, process.execPath, agentd, file],
      ]),
      { encoding: "utf8" },
    );
    expect(ended.stderr).toMatch(/:1: files\[0\]\.path: \/srv is read-only on this machine/);
    expect(ended.status).toBe(2);
  });

  it("what was applied can be applied again: the credentials stay as they are", async () => {
    await applyProvision(given(GOOD), context, never);
    const kept = read("etc/aaos/aaos.yaml");
    put("etc/aaos/credentials/github", "changed since\n");
    await applyProvision(given(kept), context, never);
    expect(read("etc/aaos/credentials/github")).toBe("changed since\n");
    expect(read("etc/aaos/credentials/join")).toBe(`${SECRET}-3\n`);
    expect(read("etc/aaos/credentials/deepseek")).toBe(`${SECRET}\n`);
    expect(read("etc/aaos/aaos.yaml")).toBe(kept);
  });

  it("a user becomes what the file says: no longer an admin, no longer with a key", async () => {
    put("etc/group", "aaos-admin:x:990:bob,ada\n");
    await applyProvision(given(GOOD), context, never);
    expect(asked()).toContain("gpasswd <--delete> <ada> <aaos-admin>");
    expect(read("etc/aaos/ssh/authorized_keys.d/ada")).toBe(`${OTHER}\n`);
    await applyProvision(
      given("users: [{name: ada}, {name: eve, admin: false}]\n"),
      context,
      never,
    );
    expect(existsSync(join(root, "etc/aaos/ssh/authorized_keys.d/ada"))).toBe(false);
    expect(read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
    expect(asked().match(/gpasswd/g)).toHaveLength(1);
  });

  it("provision apply, by its verb: below a root it writes what is a file", async () => {
    const file = put(
      "given.yaml",
      "hostname: box2\nprovider: {provider: anthropic, key: sk-ant-0123456789}\n",
    );
    const ended = await cli(["--root", root, "provision", "apply", file]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(read("etc/hostname")).toBe("box2\n");
    expect(read("etc/aaos/credentials/anthropic")).toBe("sk-ant-0123456789\n");
  });
});

describe("a NoCloud user-data", () => {
  it("gives users, keys, host name, files and our own key; what else it holds is told and left alone", async () => {
    const text = `#cloud-config
hostname: cloud1
ssh_authorized_keys: ["${KEY}"]
users:
  - default
  - {name: ada, ssh_authorized_keys: ["${OTHER}"], sudo: "ALL=(ALL) NOPASSWD:ALL"}
write_files:
  - {path: /srv/hello, content: aGVsbG8=, encoding: b64, permissions: "0640"}
packages: [vim]
aaos:
  provider: {provider: deepseek, key: ${SECRET}}
`;
    volume(
      { "user-data": text, "network-config": "version: 2\nethernets:\n  eth0: {dhcp4: true}\n" },
      "CIDATA",
    );
    const outcome = await provisionAtBoot(context, never);
    expect(outcome).toMatchObject({
      state: "applied",
      source: "user-data on the volume CIDATA",
      problems: [],
    });
    expect(outcome.notes.join()).toMatch(/cloud-init's: packages/);
    expect(read("etc/hostname")).toBe("cloud1\n");
    expect(read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
    expect(read("etc/aaos/ssh/authorized_keys.d/ada")).toBe(`${OTHER}\n`);
    expect(read("srv/hello")).toBe("hello");
    expect(read("etc/systemd/network/50-aaos-eth0.network")).toContain("DHCP=ipv4");
    // The secret is consumed: the volume holds what was applied without it.
    expect(readFileSync(join(dir, "volume/user-data"), "utf8")).not.toContain(SECRET);
    expect(read("etc/aaos/credentials/deepseek")).toContain(SECRET);
  });

  it("nobody becomes an admin who is not one there, and what is left alone of a user is told", () => {
    const text = `#cloud-config
users:
  - {name: plain, shell: /bin/zsh, groups: "users, docker"}
  - {name: no, sudo: false}
  - {name: nil, sudo: null}
  - {name: text, sudo: "False"}
  - {name: rule, sudo: ["ALL=(ALL) ALL"], gecos: R}
  - {name: member, groups: "users, sudo"}
  - {name: wheels, groups: [wheel]}
  - {name: aaos}
write_files:
  - {path: /data/a, content: a, owner: "me:me"}
`;
    const read = readProvision(text, "user-data");
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    expect(read.file.users.filter(({ admin }) => admin).map(({ name }) => name)).toEqual([
      ...["rule", "member", "wheels", "aaos"],
    ]);
    expect(read.notes).toEqual([
      "left alone, for it is cloud-init's: users.plain.shell, users.plain.groups, users.rule.gecos, users.member.groups, write_files[0].owner",
    ]);
  });

  it("a file that would come out as another is refused: bytes that are no text, and what is to be added to", () => {
    const bytes = Buffer.from([0x7f, 0xff, 0xfe]).toString("base64");
    const text = `#cloud-config
write_files:
  - {path: /data/a, content: YsO8Y2hlcg==, encoding: b64}
  - path: /data/b
    encoding: base64
    content: ${bytes}
  - {path: /data/c, content: c, append: true}
`;
    const problems = [
      { line: 6, field: "files[1].content", message: "is no UTF-8 text" },
      { line: 7, field: "files[2].append" },
    ];
    expect(readProvision(text, "user-data")).toMatchObject({ ok: false, problems });
  });

  it("a fault in it is told by cloud-init's names and line", () => {
    const broken = readProvision(
      "#cloud-config\nusers:\n  - {name: a, ssh_authorized_keys: [nonsense]}\n",
      "user-data",
    );
    expect(broken).toMatchObject({ ok: false, problems: [{ line: 3 }] });
  });
});

describe("provisioning at the first boot", () => {
  it("goes by the first source that is there: command line, volume, firmware; and only once", async () => {
    put("run/credentials/@system/aaos.config", "hostname: from-firmware\n");
    expect(await provisionAtBoot(context, never)).toMatchObject({
      state: "applied",
      source: expect.stringContaining("system credential") as string,
    });
    expect(read("etc/hostname")).toBe("from-firmware\n");
    // A stick plugged in later changes nothing.
    volume({ "aaos.yaml": "hostname: from-stick\n" });
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "done_before" });
    expect(read("etc/hostname")).toBe("from-firmware\n");
    rmSync(join(root, "etc/aaos/aaos.yaml"));
    expect(await provisionAtBoot(context, never)).toMatchObject({
      source: "aaos.yaml on the volume AAOS-CONFIG",
    });
    expect(read("etc/hostname")).toBe("from-stick\n");
    rmSync(join(root, "etc/aaos/aaos.yaml"));
    put("srv/own.yaml", "hostname: from-path\n");
    put("proc/cmdline", "quiet aaos.config=/srv/own.yaml\n");
    expect(await provisionAtBoot(context, never)).toMatchObject({
      source: "aaos.config=/srv/own.yaml",
    });
    expect(read("etc/hostname")).toBe("from-path\n");
  });

  it("what only the machine can judge is refused with its line, too", async () => {
    volume({
      "aaos.yaml":
        "hostname: fine\ntimezone: Mars/Olympus\nfiles:\n  - {path: /etc/sudoers.d/x, content: x}\n",
    });
    const { state, problems } = await provisionAtBoot(context, never);
    expect(state).toBe("refused");
    expect(problems.join("\n")).toMatch(
      /:2: timezone: there is no Mars[\s\S]*:4: files\[0\]\.path: .*belongs to the system/,
    );
    expect(existsSync(join(root, "etc"))).toBe(false);
  });

  it("a machine that somebody set up at its console is past its first boot", async () => {
    put("etc/passwd", "aaos:x:1000:1000::/home/aaos:/bin/bash\n");
    put("etc/aaos/ssh/authorized_keys.d/aaos", `${KEY}\n`);
    volume({ "aaos.yaml": "hostname: from-stick\n" });
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "done_before" });
    expect(existsSync(join(root, "etc/hostname"))).toBe(false);
  });

  it("a URL is asked again until the network of the machine is there", async () => {
    const text = "hostname: late\n";
    const server = createServer((_request, response) => response.end(text));
    const listen = (port: number) =>
      new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    await listen(0);
    const { port } = server.address() as AddressInfo;
    await new Promise((done) => server.close(done));
    const digest = createHash("sha256").update(text).digest("hex");
    put("proc/cmdline", `aaos.config=http://127.0.0.1:${port}/aaos.yaml#sha256=${digest}\n`);
    const outcome = provisionAtBoot(context, fetch);
    await new Promise((done) => setTimeout(done, 1_500));
    await listen(port);
    try {
      expect(await outcome).toMatchObject({ state: "applied" });
      expect(read("etc/hostname")).toBe("late\n");
    } finally {
      server.close();
    }
  });

  it("a list of keys is asked for again, too", async () => {
    const server = createServer((_request, response) => response.end(`${KEY}\n`));
    const listen = (port: number) =>
      new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    await listen(0);
    const { port } = server.address() as AddressInfo;
    await new Promise((done) => server.close(done));
    put(
      "run/credentials/@system/aaos.config",
      `users: [{name: aaos, ssh_key_urls: ["https://127.0.0.1:${port}/me.keys"]}]\n`,
    );
    // The server has no certificate.
    const outcome = provisionAtBoot(context, (url, init) =>
      fetch(String(url).replace("https", "http"), init),
    );
    await new Promise((done) => setTimeout(done, 1_500));
    await listen(port);
    try {
      expect(await outcome).toMatchObject({ state: "applied" });
      expect(read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
    } finally {
      server.close();
    }
  });

  it("a URL is https or carries its digest, and the digest is held", async () => {
    const text = "hostname: by-url\n";
    const server = createServer((_request, response) => response.end(text));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/aaos.yaml`;
    const boot = (value: string) => {
      put("proc/cmdline", `aaos.config=${value}\n`);
      return provisionAtBoot(context, fetch);
    };
    try {
      expect(await boot(url)).toMatchObject({
        state: "refused",
        problems: [expect.stringMatching(/https or carries its digest/)],
      });
      expect(await boot(`${url}#sha256=${"0".repeat(64)}`)).toMatchObject({
        state: "refused",
        problems: [expect.stringMatching(/its SHA-256 is/)],
      });
      expect(existsSync(join(root, "etc/hostname"))).toBe(false);
      const digest = createHash("sha256").update(text).digest("hex");
      expect(await boot(`${url}#sha256=${digest}`)).toMatchObject({ state: "applied" });
      expect(read("etc/hostname")).toBe("by-url\n");
    } finally {
      server.close();
    }
  });

  it("a wrong file is refused whole, and what is wrong is kept for the screen and doctor", async () => {
    volume({ "aaos.yaml": "hostname: fine\nusers: [{nam: a}]\n" });
    const outcome = await provisionAtBoot(context, never);
    expect(outcome.state).toBe("refused");
    expect(outcome.problems.join("\n")).toMatch(/:2: users\[0\]\.nam: is unknown/);
    expect(existsSync(join(root, "etc"))).toBe(false);
    expect(JSON.parse(read("run/aaos/provision.json"))).toEqual(outcome);
  });

  it("a volume that cannot be written keeps its secrets, and that is told", async () => {
    volume({ "aaos.yaml": `provider: {provider: deepseek, key: ${SECRET}}\n` });
    writeFileSync(join(dir, "read-only"), "");
    const outcome = await provisionAtBoot(context, never);
    expect(outcome.state).toBe("applied");
    expect(outcome.notes.join()).toMatch(/secrets are still on the volume/);
  });

  it("what the installer left is applied at the first start, and goes with its secrets", async () => {
    put("mnt/data/seed/aaos.yaml", GOOD);
    volume({ "aaos.yaml": "hostname: other\n" });
    expect(await provisionAtBoot(context, never)).toMatchObject({
      ...{ state: "applied", source: "the seed of the installer" },
    });
    expect(read("etc/hostname")).toBe("box1\n");
    expect(existsSync(join(root, "mnt/data/seed"))).toBe(false);
  });

  it.each([
    ["a disk that is not there", "install: {disk: OTHER}\n", "refused", /no disk serial:OTHER/],
    [
      "a disk that holds something",
      "install: {disk: S1}\n",
      "refused",
      /holds .*ext4.*wipe: true erases it/,
    ],
    [
      "the disk that it installed before",
      "install: {disk: S1, wipe: true}\n",
      "done_before",
      /take the medium out/,
    ],
  ])("on a live system, install: %s is left alone", async (_, text, state, word) => {
    put("run/live/medium/live/root.squashfs", "");
    const disk = {
      ...{
        path: "/dev/vda",
        type: "disk",
        size: 2 ** 34,
        ro: false,
        serial: "S1",
        mountpoints: [null],
      },
      children: [
        {
          path: "/dev/vda8",
          type: "part",
          size: 2 ** 33,
          ro: false,
          fstype: "ext4",
          mountpoints: [null],
        },
      ],
    };
    const listing = JSON.stringify({ blockdevices: [disk] });
    writeFileSync(join(dir, "bin/lsblk"), `#!/bin/sh\necho '${listing}'\n`, { mode: 0o755 });
    // mount(8) of a test: the disk's data volume, as this very file's installation leaves it.
    const seed = appliedText(ProvisionFile.parse({ install: { disk: "S1", wipe: true } }));
    const sum = createHash("sha256").update(seed).digest("hex");
    const data = `/bin/mkdir -p "$6/slots"; echo ${sum} >"$6/slots/installed-by"`;
    writeFileSync(
      join(dir, "bin/mount"),
      `#!/bin/sh\ncase "$*" in *vda8*) ${data};; *) for at; do :; done; /bin/rmdir "$at" && /bin/ln -s ${dir}/volume "$at";; esac\n`,
      { mode: 0o755 },
    );
    writeFileSync(join(dir, "bin/umount"), `#!/bin/sh\n/bin/rm -r "$1" && /bin/mkdir "$1"\n`, {
      mode: 0o755,
    });
    volume({ "aaos.yaml": text });
    const outcome = await provisionAtBoot(context, never);
    expect(outcome.state).toBe(state);
    expect([...outcome.problems, ...outcome.notes].join()).toMatch(word);
    expect(existsSync(join(root, "etc/aaos/aaos.yaml"))).toBe(false);
  });

  it.runIf(canInstall)(
    "an installation takes the secrets out of the medium, which then erases nothing",
    async () => {
      const target = join(dir, "disk.raw");
      writeFileSync(target, "");
      truncateSync(target, MIN_DISK_BYTES);
      put("run/live/medium/live/root.squashfs", "the system");
      put("usr/lib/aaos/version", "1.2.3\n");
      for (const name of ["mbr.img", "core.img", "esp.img", "grub.cfg"])
        put(`usr/lib/aaos/boot/${name}`, "boots");
      const listing = JSON.stringify({
        blockdevices: [
          {
            ...{ path: target, type: "disk", size: MIN_DISK_BYTES, ro: false, serial: "S1" },
            mountpoints: [null],
          },
        ],
      });
      const bin = (name: string, script: string) =>
        writeFileSync(join(dir, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      bin("lsblk", `echo '${listing}'`);
      bin("blockdev", "exit 0");
      for (const name of ["sfdisk", "mke2fs"]) bin(name, `exec /usr/sbin/${name} "$@"`);
      // mount(8) of a test takes what it needs of the disk's data volume out of it.
      const { startBytes } = partition(diskLayout(MIN_DISK_BYTES), PARTITION.data);
      const debugfs = `/usr/sbin/debugfs -R "cat slots/installed-by" "${target}?offset=${startBytes}"`;
      const by = join(dir, "installed-by");
      const data = `${debugfs} >${by}; [ -s ${by} ] || exit 32; /bin/mkdir "$6/slots" && /bin/cp ${by} "$6/slots"`;
      bin(
        "mount",
        `case "$*" in *disk.raw${PARTITION.data}*) ${data};; *) for at; do :; done; /bin/rmdir "$at" && /bin/ln -s ${dir}/volume "$at";; esac`,
      );
      bin("umount", '/bin/rm -r "$1" && /bin/mkdir "$1"');
      const text = `install: {disk: S1, wipe: true}\n${GOOD}`;
      volume({ "aaos.yaml": text });
      const outcome = await provisionAtBoot(context, never);
      expect(outcome).toMatchObject({ state: "installed", problems: [] });
      expect(existsSync(join(root, "etc"))).toBe(false);
      const stick = readFileSync(join(dir, "volume/aaos.yaml"), "utf8");
      expect(stick).toContain("wipe: true");
      expect(stick).not.toMatch(/sk-provisioned|\$y\$/);
      const bytes = statSync(target).mtimeMs;
      expect(await provisionAtBoot(context, never)).toMatchObject({
        state: "done_before",
        notes: [expect.stringMatching(/take the medium out/)],
      });
      // As one that was cut off before its secrets were taken out leaves it, too: now they are.
      volume({ "aaos.yaml": text });
      expect(await provisionAtBoot(context, never)).toMatchObject({ state: "done_before" });
      expect(readFileSync(join(dir, "volume/aaos.yaml"), "utf8")).toBe(stick);
      expect(statSync(target).mtimeMs).toBe(bytes);
    },
  );

  it("a seed that was refused goes once somebody has set the machine up at its console", async () => {
    put("mnt/data/seed/aaos.yaml", `hostnam: x\njoin: {token: ${SECRET}}\n`);
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "refused" });
    expect(existsSync(join(root, "mnt/data/seed/aaos.yaml"))).toBe(true);
    put("etc/passwd", "aaos:x:1000:1000::/home/aaos:/bin/bash\n");
    put("etc/aaos/ssh/authorized_keys.d/aaos", `${KEY}\n`);
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "done_before" });
    expect(existsSync(join(root, "mnt/data/seed"))).toBe(false);
  });

  it("an apply that was cut off in the middle is done again at the next boot, whole, and then its source goes", async () => {
    put("etc/passwd", "aaos:x:1000:1000::/home/aaos:/bin/bash\n");
    put("mnt/data/seed/aaos.yaml", GOOD);
    // The first user and their keys are there, and then the second is not made.
    const useradd = join(dir, "bin/useradd");
    const whole = readFileSync(useradd, "utf8");
    writeFileSync(useradd, "#!/bin/sh\nkill -9 $$\n");
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "refused" });
    expect(read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
    expect(existsSync(join(root, "etc/aaos/aaos.yaml"))).toBe(false);
    expect(read("mnt/data/seed/aaos.yaml")).toBe(GOOD);
    writeFileSync(useradd, whole);
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "applied", notes: [] });
    expect(read("etc/aaos/ssh/authorized_keys.d/ada")).toBe(`${OTHER}\n`);
    expect(read("etc/aaos/credentials/join")).toBe(`${SECRET}-3\n`);
    expect(read("etc/systemd/network/50-aaos-eth0.network")).toContain("192.0.2.10/24");
    expect(read("etc/aaos/aaos.yaml")).toContain("hostname: box1");
    expect(existsSync(join(root, "mnt/data/seed"))).toBe(false);
    expect(existsSync(join(root, "etc/aaos/.applying"))).toBe(false);
  });

  it.each(["stick", "seed"])(
    "secrets that a cut left in the %s after all was applied go at the next boot",
    async (where) => {
      const seed = join(root, "mnt/data/seed/aaos.yaml");
      const source = where === "seed" ? seed : join(dir, "volume/aaos.yaml");
      if (where === "seed") put("mnt/data/seed/aaos.yaml", GOOD);
      else volume({ "aaos.yaml": GOOD });
      // As the cut leaves it: applied, and the mark still there.
      put("etc/aaos/.applying", "");
      await applyProvision(given(GOOD), context, never);
      expect(readFileSync(source, "utf8")).toContain(SECRET);
      put("etc/hostname", "renamed-since\n");
      expect(await provisionAtBoot(context, never)).toMatchObject({
        state: "done_before",
        notes: [],
      });
      if (where === "seed") expect(existsSync(dirname(seed))).toBe(false);
      else expect(readFileSync(source, "utf8")).toBe(read("etc/aaos/aaos.yaml"));
      expect(read("etc/hostname")).toBe("renamed-since\n");
      expect(existsSync(join(root, "etc/aaos/.applying"))).toBe(false);
    },
  );

  it("another source than the one that was applied is left as it is: after a cut, and later", async () => {
    const other = GOOD.replace("box1", "box2");
    put("etc/aaos/.applying", "");
    await applyProvision(given(GOOD), context, never);
    volume({ "aaos.yaml": other });
    for (const _ of ["after a cut", "later"]) {
      expect(await provisionAtBoot(context, never)).toMatchObject({ state: "done_before" });
      expect(readFileSync(join(dir, "volume/aaos.yaml"), "utf8")).toBe(other);
      expect(read("etc/hostname")).toBe("box1\n");
    }
    // Then the very one that was applied is the business of whoever plugs it in: nothing is mounted for it.
    volume({ "aaos.yaml": GOOD });
    const before = asked();
    await provisionAtBoot(context, never);
    expect(asked()).toBe(before);
  });

  it("without any source nothing happens", async () => {
    expect(await provisionAtBoot(context, never)).toMatchObject({ state: "none" });
  });
});
