import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Json } from "../protocol/json.js";
import { NATIVE_BUILD } from "../test/confined.js";
import { openTestAgent, processesWith, type TestAgent, testBase } from "../test/confined-agent.js";

const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const GRANTS = [
  "file_read: {base}/in/*",
  "file_read: {base}/work/*",
  "file_write: {base}/work/*",
  ..."sh cat head sleep setsid chmod git node python3 curl true"
    .split(" ")
    .map((name) => `exec: ${name}`),
];
let base: string;
let agent: TestAgent;

beforeAll(async () => {
  base = await testBase();
  await writeFile(`${base}/in/file`, "granted\n");
  await writeFile(`${base}/secret/file`, "secret\n");
  agent = await openTestAgent(base, { grants: GRANTS });
});
afterAll(() => agent[Symbol.asyncDispose]());

/** Loose on purpose: a test looks at what is there. */
interface Ran {
  readonly [key: string]: unknown;
  readonly stdout: string;
  readonly stderr: string;
}
async function run(program: string, args: string[], more: Record<string, Json> = {}, on = agent) {
  const result = await on.call("exec", { program, args, ...more });
  return (result.ok ? result.output : result.error) as unknown as Ran;
}
const sh = (script: string, more: Record<string, Json> = {}) => run("sh", ["-c", script], more);
const python = (script: string, more: Record<string, Json> = {}) =>
  run("python3", ["-c", script], more);
async function noneLeft(word: string): Promise<void> {
  for (let tries = 0; tries < 40 && (await processesWith(word)).length > 0; tries++)
    await sleep(25);
  expect(await processesWith(word)).toEqual([]);
}

describe("a program sees", () => {
  it("the files of its agent's grants, and no other", async () => {
    const ran = await sh(`cat ${base}/in/file; cat ${base}/secret/file; cat /etc/shadow`);
    expect(ran.stdout).toBe("granted\n");
    expect(ran.stderr.match(/No such file/g)).toHaveLength(2);
  });

  it("a read grant that it cannot write, a write grant that it can", async () => {
    const ran = await sh("echo x > file && cat file; echo y > ../in/file; echo z > ../in/new");
    expect(ran.stdout).toBe("x\n");
    expect(await readFile(`${base}/in/file`, "utf8")).toBe("granted\n");
    expect(await readdir(`${base}/in`)).toEqual(["file"]);
  });

  it("no variable of the daemon's", async () => {
    const ran = await run("node", ["-e", "console.log(Object.keys(process.env).join(' '))"]);
    const names = ran.stdout.trim().split(" ");
    expect(names).toEqual(expect.arrayContaining(["PATH", "HOME", "TMPDIR"]));
    expect(names.filter((name) => /VITEST|NODE_OPTIONS|KEY|TOKEN|^PWD|SSH/.test(name))).toEqual([]);
  });

  it("no process but its own, no descriptor but three, and no host name of ours", async () => {
    const ran = await python(
      "import os;print(sorted(p for p in os.listdir('/proc') if p.isdigit()), sorted(os.listdir('/proc/self/fd')), os.uname().nodename)",
    );
    expect(ran.stdout).toMatch(/^\['\d'(, '\d')?\] \['0', '1', '2', '3'\] /);
    const { hostname } = await import("node:os");
    expect(ran.stdout).not.toContain(hostname());
  });

  it("its arguments as they are, and its input", async () => {
    const words = ["$(id)", "a b", "*", "; ls", "'"];
    const ran = await run(
      "python3",
      ["-c", "import sys;print(sys.argv[1:], sys.stdin.read())", ...words],
      {
        stdin: "in",
      },
    );
    expect(ran.stdout).toBe(`['$(id)', 'a b', '*', '; ls', "'"] in\n`);
  });

  it("an empty /tmp that ends with the call, and a HOME that ends with the agent", async () => {
    await sh('echo 1 > /tmp/t; echo 2 > "$HOME/h"');
    const ran = await sh('cat /tmp/t; cat "$HOME/h"');
    expect(ran.stdout).toBe("2\n");
  });
});

describe("what may run", () => {
  it("A22-26 a program that is not granted is refused by name; a granted one runs", async () => {
    expect(await run("dd", ["--version"])).toMatchObject({
      kind: "denied",
      layer: "token",
      capability: "exec: dd",
    });
    expect(await run("git", ["--version"])).toMatchObject({ exit_code: 0 });
  });

  it("a program that is not granted is not there for the granted ones either", async () => {
    const ran = await sh(
      "dd --version; /usr/bin/dd --version; /lib64/ld-linux-x86-64.so.2 /usr/bin/dd",
    );
    expect(ran.stderr).toMatch(/dd: not found[\s\S]*dd: not found/);
    expect(ran.stdout).toBe("");
  });

  it("what was written does not run, not by the loader either", async () => {
    await copyFile(`${NATIVE_BUILD}/true`, `${base}/work/evil`);
    await copyFile("/usr/bin/true", `${base}/work/linked`);
    const ran = await sh(
      "chmod +x evil; ./evil; echo $?; /lib64/ld-linux-x86-64.so.2 ./linked; echo $?",
    );
    expect(ran.stdout).toMatch(/^126\n(?!0\n)\d+\n$/);
    expect(ran.stderr).toMatch(/evil: Permission denied/);
    expect(await run("true", [])).toMatchObject({ exit_code: 0 });
  });

  it("no token, no process: neither a namespace nor a trace nor a mount of its own", async () => {
    const ran = await python(`import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def t(name, *args):
    r = getattr(libc, name)(*args); print(name, r, ctypes.get_errno())
t("unshare", 0x10000000); t("mount", b"none", b"/tmp", b"tmpfs", 0, None); t("ptrace", 16, 1, 0, 0)
t("chroot", b"/tmp"); t("setuid", 0); t("kill", ${process.pid}, 0)`);
    for (const name of ["unshare", "mount", "ptrace", "chroot"])
      expect(ran.stdout).toContain(`${name} -1 1\n`);
    expect(ran.stdout).toMatch(/kill -1 3/);
  });
});

describe("how it ends", () => {
  it("P18 at its time limit, with everything it started, however that hides", async () => {
    const word = "31557.101";
    const ran = await sh(
      `sleep ${word} & setsid sh -c 'sleep ${word} & sleep ${word}' & echo begun; wait`,
      {
        timeout_s: 0.6,
      },
    );
    expect(ran).toMatchObject({ kind: "timeout" });
    expect(ran["message"]).toContain("begun");
    await noneLeft(word);
  });

  it("with its program: what it left behind goes too, and does not hold the call", async () => {
    const word = "31557.102";
    const ran = await sh(`setsid sleep ${word} & echo done`);
    expect(ran).toMatchObject({ exit_code: 0, stdout: "done\n" });
    expect(ran["duration_ms"]).toBeLessThan(3_000);
    await noneLeft(word);
  });

  it("at an abort, at once", async () => {
    const word = "31557.103";
    const stop = new AbortController();
    const running = agent.call("exec", { program: "sleep", args: [word] }, stop.signal);
    for (let tries = 0; tries < 100 && (await processesWith(word)).length === 0; tries++)
      await sleep(20);
    expect(await processesWith(word)).not.toEqual([]);
    stop.abort();
    expect(await running).toMatchObject({ ok: false, error: { kind: "failed" } });
    await noneLeft(word);
  });

  it("P19 although it ignores every signal that it can", async () => {
    const word = "31557.104";
    const ran = await sh(`trap '' TERM INT HUP QUIT; sleep ${word}; sleep ${word}`, {
      timeout_s: 0.4,
    });
    expect(ran).toMatchObject({ kind: "timeout" });
    await noneLeft(word);
  });

  it("A24-18 A22-11 when a token it was built from is revoked while it runs", async () => {
    const other = await openTestAgent(await testBase(), {
      grants: ["file_read: {base}/work/*", "file_read: {base}/in/*", "exec: sleep", "tool: echo"],
    });
    const word = "31557.105";
    const running = run("sleep", [word], {}, other);
    for (let tries = 0; tries < 100 && (await processesWith(word)).length === 0; tries++)
      await sleep(20);
    other.revoke('"tool"');
    await sleep(100);
    expect(await processesWith(word)).not.toEqual([]);
    other.revoke("/in/");
    expect(await running).toMatchObject({
      kind: "denied",
      layer: "token",
      capability: `file_read: ${other.base}/in/*`,
    });
    await noneLeft(word);
    await other[Symbol.asyncDispose]();
  });
});

describe("what it may use", () => {
  it("P22 of the daemon's memory for its output: head and tail, however much it writes", async () => {
    const before = process.memoryUsage().rss;
    const ran = await run("cat", ["/dev/zero"], { timeout_s: 2 });
    expect(ran).toMatchObject({ kind: "timeout" });
    const much = await sh("echo begin; head -c 300000000 /dev/zero; echo; echo end");
    expect(much).toMatchObject({ exit_code: 0, truncated: true });
    expect(much.stdout).toMatch(/^begin\n/);
    expect(much.stdout).toMatch(/bytes left out/);
    expect(much.stdout).toMatch(/\nend\n$/);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });

  it("P15 of processes a bounded number: a fork bomb ends in EAGAIN, and the daemon answers meanwhile", async () => {
    const main = fileURLToPath(new URL("../test/fork-bomb-main.js", import.meta.url));
    const asUser = process.getuid?.() === 0 ? AS_NOBODY : [];
    const [command = "", ...args] = [...asUser, process.execPath, main];
    const { stdout } = await promisify(execFile)(command, args, { env: { PATH: "/usr/bin:/bin" } });
    expect(JSON.parse(stdout)).toMatchObject({ read: true, ran: { stdout: "True 11\n" } });
  }, 90_000);

  it("of memory and of a file's size no more than its limit", async () => {
    const ran = await python(`try: bytearray(5 << 30)
except MemoryError: print("memory")
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    f = open("big", "wb"); f.truncate(9 << 30)
except OSError as e: print(e.errno)`);
    expect(ran.stdout).toBe("memory\n27\n");
  });

  it("is told of each call", async () => {
    const { programs } = agent.unchecked();
    const proof = { kind: "exec", program: "python3", args: [] } as never;
    const call = { program: "python3", args: ["-c", "sum(range(3000000))"], cwd: `${base}/work` };
    const ran = await programs.run(
      proof,
      { ...call, timeout_ms: 20_000, max_output_bytes: 100 },
      new AbortController().signal,
    );
    if (!ran.ok) throw new Error(ran.message);
    expect(ran.value.resources.cpu_ms).toBeGreaterThan(10);
    expect(ran.value.resources.max_memory_bytes).toBeGreaterThan(1_000_000);
  });
});

describe("programs that agents are given", () => {
  it("git makes, commits and reads a repository", async () => {
    expect(await run("git", ["init", "-q", "repo"])).toMatchObject({ exit_code: 0 });
    await writeFile(`${base}/work/repo/a`, "a\n");
    const cwd = `${base}/work/repo`;
    expect(await run("git", ["add", "a"], { cwd })).toMatchObject({ exit_code: 0 });
    expect(
      await run("git", ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one"], {
        cwd,
      }),
    ).toMatchObject({ exit_code: 0 });
    expect((await run("git", ["log", "--format=%s"], { cwd })).stdout).toBe("one\n");
  });

  it("A22-8 grep searches what is granted, and finds nothing elsewhere", async () => {
    const found = await agent.call("grep", { pattern: "grant", path: `${base}/in` });
    expect(found).toMatchObject({ ok: true, output: { count: 1 } });
    const secret = await agent.call("grep", { pattern: "secret", path: `${base}/secret` });
    expect(secret).toMatchObject({ ok: false, error: { kind: "denied" } });
  });

  it("node and python3 read and write files and start no other program", async () => {
    const script = `const fs=require('fs');fs.writeFileSync('n.txt','n');console.log(fs.readFileSync('../in/file','utf8').trim());
      try{require('child_process').execFileSync('/usr/bin/dd')}catch(e){console.log(e.code)}`;
    expect((await run("node", ["-e", script])).stdout).toBe("granted\nENOENT\n");
    expect((await python("print(open('n.txt').read())")).stdout).toBe("n\n");
  });
});

describe("many at once", () => {
  it("U7 launches do not wait for one another, and none is lost", async () => {
    const started = performance.now();
    const all = await Promise.all(
      Array.from({ length: 24 }, (_, n) => run("cat", [`../in/file`, String(n)].slice(0, 1))),
    );
    expect(all.map(({ stdout }) => stdout)).toEqual(all.map(() => "granted\n"));
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe("a daemon that is killed", () => {
  it("P20 takes everything that it confined with it", async () => {
    const word = "31557.107";
    const main = fileURLToPath(new URL("../test/sleeping-agent-main.js", import.meta.url));
    const daemon = spawn(process.execPath, [main, word], { stdio: ["ignore", "pipe", "inherit"] });
    const [said] = (await once(daemon.stdout, "data")) as [Buffer];
    const [, left = ""] = said.toString().trim().split(" ");
    expect(await processesWith(word)).not.toEqual([]);
    daemon.kill("SIGKILL");
    await noneLeft(word);
    await rm(left, { recursive: true, force: true });
  });
});

describe("a launcher that is killed", () => {
  it("P27 takes everything with it; calls fail, and no agent is born any more", async () => {
    const children = async () =>
      (await readFile(`/proc/self/task/${process.pid}/children`, "utf8")).trim().split(" ");
    const before = await children();
    const other = await openTestAgent(await testBase(), {
      grants: ["file_read: {base}/work/*", "exec: sleep"],
    });
    const [launcher] = (await children()).filter((pid) => !before.includes(pid));
    const word = "31557.108";
    const running = run("sleep", [word], {}, other);
    for (let tries = 0; tries < 100 && (await processesWith(word)).length === 0; tries++)
      await sleep(20);
    process.kill(Number(launcher), "SIGKILL");
    expect(await running).toMatchObject({ exit_code: null, signal: "SIGKILL" });
    await noneLeft(word);
    expect(await run("sleep", ["0"], {}, other)).toMatchObject({ kind: "unavailable" });
    expect(() => other.confinement.openPorts({} as never)).toThrow("aaos-spawn has ended");
    await other[Symbol.asyncDispose]();
  });
});

describe("an agent that ends", () => {
  it("A22-37 takes its running programs and its HOME with it", async () => {
    const other = await openTestAgent(await testBase(), {
      grants: ["file_read: {base}/work/*", "exec: sleep", "exec: sh"],
    });
    const word = "31557.106";
    await run("sh", ["-c", 'echo 1 > "$HOME/x"'], {}, other);
    const home = `${other.base}/root/var/lib/aaos/homes`;
    expect(await readdir(home)).toHaveLength(1);
    const running = run("sleep", [word], {}, other);
    for (let tries = 0; tries < 100 && (await processesWith(word)).length === 0; tries++)
      await sleep(20);
    await other.agent.end("completed");
    expect(await running).toMatchObject({ kind: "unavailable" });
    await noneLeft(word);
    expect(await readdir(home)).toEqual([]);
    await other.confinement.close();
  });

  it("A24-18 without a launcher no agent is born: there is no unconfined way", async () => {
    const bare = await testBase();
    await expect(
      openTestAgent(bare, { grants: ["exec: true"], nativeDir: "/nonexistent" }),
    ).rejects.toMatchObject({ code: "unavailable" });
    await expect(access("/nonexistent")).rejects.toThrow();
  });
});
