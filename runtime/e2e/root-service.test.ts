import { execFile } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openMachine } from "../appliance/machine.js";
import { type SystemRecord, serveSystem } from "../appliance/serve.js";
import { VERBS } from "../appliance/verbs.js";
import { askSystem } from "../cli/ask-system.js";
import { callerOf } from "../protocol/caller.js";
import { SYSTEM_VERBS, type SystemParams, type SystemVerbName } from "../protocol/system-verbs.js";
import { loadAddon } from "../sandbox/addon.js";
import { peerOfSocket } from "../sandbox/peer-of-socket.js";

// The real service on a real socket, asked by real users; systemd and the passwd tools, which no container has, are programs that
// write down what they were asked. The VM tests ask the same of the installed package.
const addon = loadAddon(join(import.meta.dirname, "../../native/build/aaos.node"));
const isRoot = process.getuid?.() === 0;
const ADMINS = 54_321;
const OPERATORS = 54_322;

let dir: string;
let root: string;
let socketPath: string;
let records: SystemRecord[];
let stop: AbortController;
let ended: Promise<void>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "aaos-system-"));
  chmodSync(dir, 0o755);
  root = join(dir, "root");
  socketPath = join(dir, "system.sock");
  const bin = join(dir, "bin");
  mkdirSync(bin);
  mkdirSync(root);
  for (const name of ["systemctl", "gpasswd", "systemd-creds", "shutdown"]) {
    const script = `#!/bin/sh\nprintf '%s' "${name}" >>${dir}/asked; printf ' <%s>' "$@" >>${dir}/asked; echo >>${dir}/asked
[ ! -e ${dir}/fail-${name} ] || { echo "it is broken" >&2; exit 1; }
[ ${name} != systemd-creds ] || { printf 'sealed:'; /usr/bin/sha256sum; }\n`;
    writeFileSync(join(bin, name), script, { mode: 0o755 });
  }
  stop = new AbortController();
  const server = createServer({ allowHalfOpen: true });
  const listening = new Promise<void>((resolve) => server.listen(socketPath, resolve));
  await listening;
  // The kernel would keep operators out (0660 root:aaos-admin); here it lets them in, so that the service itself must refuse.
  chmodSync(socketPath, 0o666);
  ended = serveSystem({
    server,
    verbs: VERBS,
    machine: openMachine(root, [bin]),
    peerOf: (socket) => callerOf(peerOfSocket(addon, socket), { gid: ADMINS, owner: null }),
    record: (record) => records.push(record),
    signal: stop.signal,
    idleMs: 600_000,
    requestMs: 500,
  });
});

beforeEach(() => {
  records = [];
  rmSync(join(dir, "asked"), { force: true });
  for (const name of ["systemctl", "gpasswd", "systemd-creds", "shutdown"])
    rmSync(join(dir, `fail-${name}`), { force: true });
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
});

afterAll(async () => {
  stop.abort();
  await ended;
  rmSync(dir, { recursive: true, force: true });
});

const asked = () =>
  existsSync(join(dir, "asked")) ? readFileSync(join(dir, "asked"), "utf8") : "";

/** One request for every verb; a new verb without one does not compile. */
const REQUESTS: { readonly [V in SystemVerbName]: SystemParams<V> } = {
  "set-credential": { name: "deepseek", secret: "sk-0123456789" },
  "remove-credential": { name: "deepseek" },
  "configure-provider": { provider: "deepseek", key: "sk-0123456789" },
  "control-daemon": { action: "restart" },
  "add-operator": { user: "ada", group: "aaos" },
  "remove-operator": { user: "ada", group: "aaos-admin" },
  "slots-status": { verify: true },
  "install-bundle": { file: "/data/x.raucb", usb: null, allow_downgrade: false, automatic: false },
  "read-channel": { channel: "stable", index: "AAAA" },
  rollback: {},
  "factory-reset": { keep_access: true },
  "make-backup": { passphrase: "correct horse battery", usb: null },
  "restore-backup": { file: "/nowhere.backup", passphrase: "correct horse battery", usb: null },
  "restart-machine": { at: "+5" },
};
/** This machine has none. */
const OF_SLOTS: readonly string[] = ["slots-status", "install-bundle", "rollback", "factory-reset"];
/** Answers with more than a word, or needs what is not here: `backup.test.ts` and `channel.test.ts` have them. */
const ELSEWHERE: readonly string[] = ["make-backup", "restore-backup", "read-channel"];
const NAMES = Object.keys(SYSTEM_VERBS) as SystemVerbName[];

/** Asks as a user of these groups: a process of its own, without any privilege. */
async function askAs(groups: readonly number[], verb: SystemVerbName): Promise<string> {
  const line = JSON.stringify({ verb, params: REQUESTS[verb] });
  const script = `const s=require("net").connect(${JSON.stringify(socketPath)});s.write(process.argv[1]+"\\n");s.pipe(process.stdout)`;
  const as = ["--reuid", "12345", "--regid", "12345", "--groups", groups.join(","), "--"];
  const { stdout } = await promisify(execFile)("setpriv", [
    ...as,
    process.execPath,
    "-e",
    script,
    line,
  ]);
  return stdout;
}

describe("the root service", () => {
  it.runIf(isRoot).each(NAMES)(
    "refuses %s to an operator in group aaos, and does nothing",
    async (verb) => {
      const answer = JSON.parse(await askAs([OPERATORS], verb)) as Record<string, string>;
      expect(answer).toMatchObject({ type: "error", kind: "not_permitted" });
      expect(answer["hint"]).toContain("adduser $USER aaos-admin");
      expect(asked()).toBe("");
      expect(existsSync(join(root, "etc"))).toBe(false);
      expect(records).toEqual([
        { verb: "", uid: 12_345, outcome: "refused", detail: expect.any(String) as string },
      ]);
    },
  );

  it.runIf(isRoot).each(OF_SLOTS)("says of %s that this is no installed disk", async (verb) => {
    const answer = JSON.parse(await askAs([ADMINS], verb as SystemVerbName)) as unknown;
    expect(answer).toMatchObject({ type: "error", kind: "unavailable" });
    expect(asked()).toBe("");
  });

  it.runIf(isRoot).each(NAMES.filter((name) => ![...OF_SLOTS, ...ELSEWHERE].includes(name)))(
    "does %s for a member of group aaos-admin, who is not root",
    async (verb) => {
      mkdirSync(join(root, "etc"));
      if (verb === "remove-credential") await askAs([ADMINS], "set-credential");
      const answer = JSON.parse(await askAs([OPERATORS, ADMINS], verb)) as Record<string, unknown>;
      expect(answer).toMatchObject({ type: "end" });
      expect(records.slice(-2)).toEqual([
        { verb, uid: 12_345, outcome: "asked", detail: "" },
        { verb, uid: 12_345, outcome: "done", detail: "" },
      ]);
    },
  );

  it("configures a provider for an admin: the key sealed, the default set, the service started again", async () => {
    mkdirSync(join(root, "run/systemd/system"), { recursive: true });
    const request = REQUESTS["configure-provider"];
    const result = await askSystem("configure-provider", request, { socketPath });
    const sealed = join(root, "etc/credstore.encrypted/aaos_deepseek");
    expect(result).toMatchObject({
      credential: { name: "deepseek", file: sealed, encrypted: true },
      changed: ["default"],
      // systemctl of this test says nothing, so that no unit is loaded.
      daemon: { state: "no_daemon" },
    });
    expect(asked()).toContain("systemctl <show> <agentd.service>");
    expect(readFileSync(join(root, "etc/aaos/providers.yaml"), "utf8")).toBe("default: deepseek\n");
    expect(asked() + JSON.stringify(records)).not.toContain("sk-0123456789");
  });

  it("stores a credential sealed, for root alone, and gives it to the program by a pipe, not by an argument", async () => {
    const result = await askSystem("set-credential", REQUESTS["set-credential"], { socketPath });
    expect(result).toEqual({ file: "/etc/credstore.encrypted/aaos_deepseek", encrypted: true });
    const file = join(root, result.file);
    expect(readFileSync(file, "utf8")).toMatch(/^sealed:[0-9a-f]{64}/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(asked()).toBe("systemd-creds <encrypt> <--name=aaos_deepseek> <-> <->\n");
    expect(JSON.stringify(records)).not.toContain("sk-0123456789");
  });

  it("stores it in plain, for root alone, where this machine cannot seal, and keeps no older sealed one", async () => {
    await askSystem("set-credential", { name: "deepseek", secret: "older" }, { socketPath });
    writeFileSync(join(dir, "fail-systemd-creds"), "");
    const result = await askSystem("set-credential", REQUESTS["set-credential"], { socketPath });
    expect(result).toEqual({ file: "/etc/aaos/credentials/deepseek", encrypted: false });
    const file = join(root, result.file);
    expect(readFileSync(file, "utf8")).toBe("sk-0123456789\n");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(join(root, "etc/credstore.encrypted/aaos_deepseek"))).toBe(false);
  });

  it("replaces a link where a credential should be, and never writes through it", async () => {
    writeFileSync(join(dir, "fail-systemd-creds"), "");
    mkdirSync(join(root, "etc/aaos/credentials"), { recursive: true });
    writeFileSync(join(root, "victim"), "untouched");
    symlinkSync(join(root, "victim"), join(root, "etc/aaos/credentials/deepseek"));
    await askSystem("set-credential", REQUESTS["set-credential"], { socketPath });
    expect(readFileSync(join(root, "victim"), "utf8")).toBe("untouched");
  });

  it("forgets a credential, and says so where there is none", async () => {
    await askSystem("set-credential", REQUESTS["set-credential"], { socketPath });
    const { removed } = await askSystem("remove-credential", { name: "deepseek" }, { socketPath });
    expect(removed).toEqual(["/etc/credstore.encrypted/aaos_deepseek"]);
    await expect(
      askSystem("remove-credential", { name: "deepseek" }, { socketPath }),
    ).rejects.toMatchObject({ code: "unknown_id" });
  });

  it("tells what a program said when it failed, and records the failure", async () => {
    writeFileSync(join(dir, "fail-systemctl"), "");
    await expect(
      askSystem("control-daemon", { action: "reload" }, { socketPath }),
    ).rejects.toMatchObject({ code: "run_failed", message: "agentd did not reload: it is broken" });
    expect(asked()).toBe("systemctl <reload> <agentd.service>\n");
    expect(records.at(-1)).toMatchObject({ outcome: "failed" });
  });

  it.each([
    [{ verb: "format-disk" }, "method_not_found"],
    [{ verb: "constructor" }, "method_not_found"],
    [{ verb: "add-operator", params: { user: "ada; rm -rf /", group: "aaos" } }, "invalid_request"],
    [{ verb: "add-operator", params: { user: "--help", group: "aaos" } }, "invalid_request"],
    [{ verb: "add-operator", params: { user: "ada", group: "sudo" } }, "invalid_request"],
    [{ verb: "set-credential", params: { name: "../shadow", secret: "x" } }, "invalid_request"],
    [{ verb: "set-credential", params: { name: "a", secret: "x", mode: 0 } }, "invalid_request"],
    [{ verb: "control-daemon", params: { action: "kexec" } }, "invalid_request"],
    [{ verb: "control-daemon", extra: 1 }, "invalid_request"],
    ["no object", "invalid_request"],
  ])("refuses %j and runs nothing", async (request, kind) => {
    await expect(ask(`${JSON.stringify(request)}\n`)).resolves.toMatchObject({ kind });
    expect(asked()).toBe("");
    expect(records).toMatchObject([{ outcome: "refused" }]);
  });

  it("refuses a line that is no JSON, too long, or never ends", async () => {
    await expect(ask("{\n")).resolves.toMatchObject({ kind: "invalid_request" });
    await expect(ask("x".repeat(70_000))).resolves.toMatchObject({ kind: "invalid_request" });
    await expect(ask('{"verb":')).resolves.toMatchObject({ kind: "invalid_request" });
  });

  it("never repeats a value that it refuses: it may be a secret", async () => {
    const secret = "s".repeat(20_000);
    const request = { verb: "set-credential", params: { name: "deepseek", secret } };
    const answer = await ask(`${JSON.stringify(request)}\n`);
    expect(answer).toMatchObject({ kind: "invalid_request", message: "secret: too_big" });
  });

  it("does two requests one after the other", async () => {
    mkdirSync(join(root, "etc"));
    await Promise.all([
      askSystem("add-operator", { user: "ada", group: "aaos" }, { socketPath }),
      askSystem("add-operator", { user: "bob", group: "aaos-admin" }, { socketPath }),
    ]);
    expect(records.map(({ outcome }) => outcome)).toEqual(["asked", "done", "asked", "done"]);
  });
});

it("a service that nobody asks goes by itself, and one that is told to ends what it does first", async () => {
  const path = join(dir, "idle.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await serveSystem({
    server,
    verbs: VERBS,
    machine: openMachine(root, []),
    peerOf: () => callerOf({ uid: 0, gid: 0, groups: [] }, { gid: null, owner: null }),
    record: () => {},
    signal: new AbortController().signal,
    idleMs: 10,
  });
  await expect(
    askSystem("control-daemon", { action: "start" }, { socketPath: path }),
  ).rejects.toMatchObject({
    code: "daemon_unreachable",
  });
});

it.runIf(isRoot)("a user whom the kernel keeps out is told which group to join", async () => {
  const path = join(dir, "closed.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o660);
  chownSync(path, 0, ADMINS);
  const script = `import(${JSON.stringify(join(import.meta.dirname, "../cli/ask-system.js"))}).then(({askSystem})=>askSystem("control-daemon",{action:"start"},{socketPath:${JSON.stringify(path)}})).catch(e=>console.log(e.code,e.hint))`;
  const args = ["--reuid", "12345", "--regid", "12345", "--groups", `${OPERATORS}`, "--"];
  try {
    const { stdout } = await promisify(execFile)("setpriv", [
      ...args,
      process.execPath,
      "-e",
      script,
    ]);
    expect(stdout).toMatch(/^permission_denied .*adduser \$USER aaos-admin/);
  } finally {
    server.close();
  }
});

/** One line to the service as it is, and the first frame that comes back. */
async function ask(text: string): Promise<Record<string, unknown>> {
  const { connect } = await import("node:net");
  const socket = connect(socketPath);
  socket.write(text);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return JSON.parse(answer.split("\n", 1)[0] ?? "") as Record<string, unknown>;
}
