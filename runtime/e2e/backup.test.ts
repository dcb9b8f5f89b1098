import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openMachine } from "../appliance/machine.js";
import { serveSystem } from "../appliance/serve.js";
import { VERBS } from "../appliance/verbs.js";
import { type Journal, openJournal } from "../audit/journal.js";
import { verifyJournal } from "../audit/verify.js";
import { askSystem } from "../cli/ask-system.js";
import { callerOf } from "../protocol/caller.js";
import { entropy, newRunId, submitted } from "../test/journal-fixture.js";
import { type Ended, startAgentd } from "./agentd-process.js";

const passphrase = "correct horse battery";
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-backup-"));
});
afterEach(async () => {
  for (const box of boxes.splice(0)) await box.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Box {
  readonly root: string;
  readonly socketPath: string;
  readonly asked: () => string;
  readonly close: () => Promise<void>;
}
const boxes: Box[] = [];

/** A machine with the real root service; what seals its secrets has a key of its own, as a TPM has. */
async function box(name: string): Promise<Box> {
  const home = join(dir, name);
  const [root, bin] = [join(home, "root"), join(home, "bin")];
  for (const folder of [
    bin,
    ...["run", "var/lib/aaos", "etc/aaos/roles"].map((it) => join(root, it)),
  ])
    mkdirSync(folder, { recursive: true });
  chmodSync(join(root, "var/lib/aaos"), 0o700);
  const program = (file: string, script: string) =>
    writeFileSync(join(bin, file), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  program("systemctl", `echo "$@" >>${home}/asked`);
  const cipher = `exec /usr/bin/openssl enc -aes-256-ctr -a -A -pbkdf2 -pass pass:machine-${name}`;
  program(
    "systemd-creds",
    `case $1 in encrypt) ${cipher};; decrypt) ${cipher} -d -in "$3" || exit 1;; esac`,
  );
  const socketPath = join(root, "run/aaos-system.sock");
  const stop = new AbortController();
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const ended = serveSystem({
    ...{ server, verbs: VERBS, machine: openMachine(root, [bin]), record: () => {} },
    peerOf: () => callerOf({ uid: 0, gid: 0, groups: [] }, { gid: null, owner: null }),
    ...{ signal: stop.signal, idleMs: 600_000 },
  });
  const made: Box = {
    ...{ root, socketPath },
    asked: () => (existsSync(join(home, "asked")) ? readFileSync(join(home, "asked"), "utf8") : ""),
    close: async () => {
      stop.abort();
      await ended;
    },
  };
  boxes.push(made);
  return made;
}

const database = ({ root }: Box) => join(root, "var/lib/aaos/aaos.db");
const open = (path: string) => openJournal({ path, entropy, redact: (text) => text });
const secretOf = async ({ root, socketPath }: Box, secret: string) => {
  await askSystem("set-credential", { name: "deepseek", secret }, { socketPath });
  return readFileSync(join(root, "etc/credstore.encrypted/aaos_deepseek"), "utf8");
};

async function backup({ socketPath }: Box): Promise<string> {
  const parts: Buffer[] = [];
  const result = await askSystem(
    "make-backup",
    { passphrase, usb: null },
    {
      socketPath,
      onData: async (bytes) => {
        parts.push(bytes);
      },
    },
  );
  const bytes = Buffer.concat(parts);
  expect(result.size_bytes).toBe(bytes.length);
  expect(result.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  const file = join(dir, "box.backup");
  writeFileSync(file, bytes);
  return file;
}

/** Appends until told to stop; gives how many events were acknowledged. */
async function writing(journal: Journal, during: () => Promise<unknown>): Promise<number> {
  const stop = new AbortController();
  let count = 0;
  const writer = (async () => {
    while (!stop.signal.aborted) {
      await journal.append([submitted(newRunId(), `goal ${count}`)]);
      count += 1;
    }
  })();
  await during();
  stop.abort();
  await writer;
  return count;
}

it("a backup that is made while the journal is written is restored on another machine: settings, secrets, journal, folders", async () => {
  const [old, fresh] = [await box("old"), await box("fresh")];
  writeFileSync(join(old.root, "etc/aaos/roles/mine.yaml"), "name: mine\n");
  mkdirSync(join(old.root, "etc/default"), { recursive: true });
  writeFileSync(join(old.root, "etc/default/aaos"), "OPENAI_API_KEY=sk-env\n", { mode: 0o600 });
  mkdirSync(join(old.root, "etc/aaos/ssh"));
  writeFileSync(join(old.root, "etc/aaos/ssh/ssh_host_ed25519_key"), "the old machine's identity");
  const sealedOld = await secretOf(old, "sk-0123456789");
  mkdirSync(join(old.root, "var/lib/aaos/workspace/RUN"), { recursive: true });
  writeFileSync(join(old.root, "var/lib/aaos/workspace/RUN/plan.json"), "{}");

  const journal = await open(database(old));
  await journal.append([submitted(newRunId(), "before the backup")]);
  let file = "";
  const written = await writing(journal, async () => {
    file = await backup(old);
  });
  await journal.close();
  expect(written).toBeGreaterThan(0);
  const bytes = readFileSync(file);
  for (const secret of ["sk-0123456789", "sk-env", "before the backup", "name: mine"])
    expect(bytes.includes(secret)).toBe(false);

  const { socketPath } = fresh;
  const request = { file, passphrase, usb: null };
  const done = await askSystem("restore-backup", request, { socketPath });
  expect(done).toMatchObject({ credentials: ["deepseek"], replaced: null });
  expect(done.about.events).toBeGreaterThan(0);
  expect(readFileSync(join(fresh.root, "etc/aaos/roles/mine.yaml"), "utf8")).toBe("name: mine\n");
  expect(statSync(join(fresh.root, "etc/default/aaos")).mode & 0o777).toBe(0o600);
  expect(existsSync(join(fresh.root, "etc/aaos/ssh"))).toBe(false);
  expect(readFileSync(join(fresh.root, "var/lib/aaos/workspace/RUN/plan.json"), "utf8")).toBe("{}");
  const sealedNew = join(fresh.root, "etc/credstore.encrypted/aaos_deepseek");
  expect(readFileSync(sealedNew, "utf8")).not.toBe(sealedOld);
  expect(fresh.asked()).toBe("stop agentd.service\nstart agentd.service\n");
  const report = verifyJournal(database(fresh));
  expect(report).toMatchObject({ ok: true, events: done.about.events });
  // It goes on from there.
  const next = await open(database(fresh));
  await next.append([submitted(newRunId(), "after the restore")]);
  await next.close();
  expect(verifyJournal(database(fresh)).ok).toBe(true);
  const left = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("."));
  expect([
    ...left(join(old.root, "var/lib/aaos")),
    ...left(join(fresh.root, "var/lib/aaos")),
  ]).toEqual([]);
});

it("what agents planted leads root nowhere: a restore follows no link, a backup neither links nor pipes", async () => {
  const it = await box("one");
  const state = join(it.root, "var/lib/aaos");
  mkdirSync(join(state, "workspace/RUN"), { recursive: true });
  writeFileSync(join(state, "workspace/RUN/plan.json"), "{}");
  const outside = join(dir, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "nobody's business");
  symlinkSync(outside, join(state, "workspace/folder"));
  symlinkSync(join(outside, "secret"), join(state, "workspace/file"));
  execFileSync("mkfifo", [join(state, "workspace/pipe")]);
  const file = await backup(it);
  rmSync(join(state, "workspace"), { recursive: true });
  symlinkSync(outside, join(state, "workspace"));
  const { socketPath } = it;
  const done = await askSystem("restore-backup", { file, passphrase, usb: null }, { socketPath });
  expect(done.files).toBe(1);
  expect(readdirSync(outside)).toEqual(["secret"]);
  expect(lstatSync(join(state, "workspace")).isDirectory()).toBe(true);
  expect(readFileSync(join(state, "workspace/RUN/plan.json"), "utf8")).toBe("{}");
  expect(readdirSync(join(it.root, "var/lib"))).toEqual(["aaos"]);
});

it("what was there is kept, and goes in the place of the restored one again", async () => {
  const it = await box("one");
  const journal = await open(database(it));
  await journal.append([submitted(newRunId(), "in the backup")]);
  const file = await backup(it);
  await journal.append([submitted(newRunId(), "after the backup")]);
  await journal.close();
  writeFileSync(join(it.root, "etc/aaos/policy.yaml"), "# later\n");
  const { socketPath } = it;
  const request = { file, passphrase, usb: null };
  const { replaced } = await askSystem("restore-backup", request, { socketPath });
  expect(replaced).toBe(join(it.root, "var/lib/aaos/before-restore/aaos.db"));
  expect(verifyJournal(database(it)).events).toBe(1);
  expect(verifyJournal(replaced ?? "").events).toBe(2);
});

it("a restore that was cut short is done again, and what was there before the first one is kept: cut before the database, and after it", async () => {
  const it = await box("one");
  const [policy, before] = ["etc/aaos/policy.yaml", "var/lib/aaos/before-restore"].map((path) =>
    join(it.root, path),
  ) as [string, string];
  await secretOf(it, "sk-0123456789");
  writeFileSync(policy, "# in the backup\n");
  const journal = await open(database(it));
  await journal.append([submitted(newRunId(), "in the backup")]);
  const file = await backup(it);
  await journal.append([submitted(newRunId(), "after the backup")]);
  await journal.close();
  writeFileSync(policy, "# later\n");
  const restore = () =>
    askSystem("restore-backup", { file, passphrase, usb: null }, { socketPath: it.socketPath });
  const expectKept = (events: number) => {
    expect(readFileSync(policy, "utf8")).toBe("# in the backup\n");
    expect(readFileSync(join(before, "config/policy.yaml"), "utf8")).toBe("# later\n");
    expect(verifyJournal(database(it)).events).toBe(events);
  };
  // The files are in their places, and then the secrets have none.
  const sealed = join(it.root, "etc/credstore.encrypted");
  rmSync(sealed, { recursive: true });
  writeFileSync(sealed, "");
  await expect(restore()).rejects.toThrow();
  expectKept(2);
  rmSync(sealed);
  expect(await restore()).toMatchObject({ replaced: join(before, "aaos.db") });
  expectKept(1);
  expect(verifyJournal(join(before, "aaos.db")).events).toBe(2);
  // All is in its place, and then the mark is still there.
  const mark = join(before, ".unfinished");
  expect(existsSync(mark)).toBe(false);
  writeFileSync(mark, "");
  await restore();
  expectKept(1);
  expect(verifyJournal(join(before, "aaos.db")).events).toBe(2);
  // One that came to its end keeps what is there now.
  await restore();
  expect(readFileSync(join(before, "config/policy.yaml"), "utf8")).toBe("# in the backup\n");
  expect(verifyJournal(join(before, "aaos.db")).events).toBe(1);
});

it("what was planted as the kept copies of a restore that was cut short is not taken for them", async () => {
  const it = await box("one");
  writeFileSync(join(it.root, "etc/aaos/policy.yaml"), "# mine\n");
  const file = await backup(it);
  const outside = join(dir, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, ".unfinished"), "");
  const before = join(it.root, "var/lib/aaos/before-restore");
  symlinkSync(outside, before);
  const { socketPath } = it;
  await askSystem("restore-backup", { file, passphrase, usb: null }, { socketPath });
  expect(readdirSync(outside)).toEqual([".unfinished"]);
  expect(readFileSync(join(before, "config/policy.yaml"), "utf8")).toBe("# mine\n");
});

it("what a power cut left half made goes into no backup, and goes with the next one", async () => {
  const it = await box("one");
  const left = join(it.root, "var/lib/.aaos-scratch-Ab12Cd");
  mkdirSync(left);
  writeFileSync(join(left, "aaos.db"), "in plain");
  mkdirSync(join(it.root, "etc/aaos/credentials"));
  for (const name of ["credentials/.00ff.partial", "credentials/github", ".00ff.partial"])
    writeFileSync(join(it.root, "etc/aaos", name), "sk-half\n");
  const file = await backup(it);
  expect(readdirSync(join(it.root, "var/lib"))).toEqual(["aaos"]);
  const { socketPath } = it;
  const done = await askSystem("restore-backup", { file, passphrase, usb: null }, { socketPath });
  expect(done).toMatchObject({ credentials: ["github"], files: 0 });
});

it.each([
  ["another passphrase", { passphrase: "a wrong one, surely" }, (bytes: Buffer) => bytes],
  ["one that is cut short", {}, (bytes: Buffer) => bytes.subarray(0, -40)],
  [
    "one of which a bit was flipped",
    {},
    (bytes: Buffer) => {
      bytes[bytes.length - 200] = (bytes[bytes.length - 200] ?? 0) ^ 1;
      return bytes;
    },
  ],
])("%s is refused, and nothing has changed", async (_, more, spoil) => {
  const it = await box("one");
  const journal = await open(database(it));
  await journal.append([submitted(newRunId())]);
  const file = await backup(it);
  writeFileSync(file, spoil(readFileSync(file)));
  await journal.append([submitted(newRunId())]);
  await journal.close();
  const request = { file, passphrase, usb: null, ...more };
  await expect(
    askSystem("restore-backup", request, { socketPath: it.socketPath }),
  ).rejects.toMatchObject({ code: "invalid_file" });
  expect(it.asked()).toBe("");
  expect(verifyJournal(database(it)).events).toBe(2);
});

it("where no stick is plugged in, usb: says so", async () => {
  const it = await box("one");
  writeFileSync(join(dir, "one/bin/lsblk"), `#!/bin/sh\necho '{"blockdevices":[]}'\n`, {
    mode: 0o755,
  });
  await expect(
    askSystem("make-backup", { passphrase, usb: "" }, { socketPath: it.socketPath }),
  ).rejects.toMatchObject({ code: "usage", message: "no USB volume" });
});

/** The command line as an operator uses it, with an rclone that keeps what it is given in a folder. */
function agentd({ root }: Box, ...args: string[]): Promise<Ended> {
  const bin = join(dir, "rclone-bin");
  mkdirSync(bin, { recursive: true });
  const store = join(dir, "remote");
  mkdirSync(store, { recursive: true });
  const script = `#!/bin/sh\ncase $1 in rcat) cat >"${store}/\${2#*:}";; cat) exec cat "${store}/\${2#*:}";; esac\n`;
  writeFileSync(join(bin, "rclone"), script, { mode: 0o755 });
  writeFileSync(join(dir, "passphrase"), `${passphrase}\nanother line\n`);
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: join(dir, "home") };
  const secret = ["--passphrase-file", join(dir, "passphrase")];
  return startAgentd(["--root", root, "system", ...args, ...secret], { env }).ended;
}

it("the command line backs up to a file and to a remote, and restores from both; without a terminal it does not restore unasked", async () => {
  const [old, fresh] = [await box("old"), await box("fresh")];
  const journal = await open(database(old));
  await journal.append([submitted(newRunId())]);
  await journal.close();
  const file = join(dir, "box.backup");
  const trap = join(dir, "trap");
  writeFileSync(trap, "mine");
  symlinkSync(trap, `${file}.part`);
  expect(await agentd(old, "backup", file)).toMatchObject({ code: 0 });
  expect(readFileSync(trap, "utf8")).toBe("mine");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const remote = await agentd(old, "backup", "cloud:box.backup", "--json");
  expect(JSON.parse(remote.stdout)).toMatchObject({ file: "cloud:box.backup" });
  expect(await agentd(fresh, "restore", file)).toMatchObject({ code: 2 });
  expect(existsSync(database(fresh))).toBe(false);
  for (const source of [file, "cloud:box.backup"]) {
    const { code, stdout, stderr } = await agentd(fresh, "restore", source, "--yes", "--json");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ about: { events: 1 } });
    expect(verifyJournal(database(fresh))).toMatchObject({ ok: true, events: 1 });
  }
  expect(readdirSync(join(dir, "home/.cache/aaos/restore"))).toEqual([]);
  expect((await agentd(old, "backup", "cloud:no/such/folder")).code).toBe(1);
});
