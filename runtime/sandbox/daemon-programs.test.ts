import { chmod, mkdir, mkdtemp, open, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ProgramCall, ProgramOutcome, ProgramsPort } from "../protocol/ports.js";
import { granted } from "../test/tool-context.js";
import { daemonPrograms } from "./daemon-programs.js";

const never = new AbortController().signal;
let dir: string;
let programs: ProgramsPort;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "aaos-programs-")));
  await mkdir(join(dir, "bin"));
  const path = `${join(dir, "bin")}:/usr/local/bin:/usr/bin:/bin`;
  programs = daemonPrograms({ home: "/nonexistent", tmp: dir, path });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function run(program: string, args: string[], more: Partial<ProgramCall> = {}, signal = never) {
  const call = { program, args, cwd: dir, timeout_ms: 10_000, max_output_bytes: 4_096, ...more };
  return programs.run(granted({ kind: "exec", program, args }), call, signal);
}
const sh = (script: string, more: Partial<ProgramCall> = {}, signal = never) =>
  run("sh", ["-c", script], more, signal);

async function outcome(running: ReturnType<typeof run>): Promise<ProgramOutcome> {
  const result = await running;
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

describe("what a program is given", () => {
  it("gets its arguments as they are: no shell reads them", async () => {
    const words = ["$(id)", "a b", "*", "; ls", "'", "--x=\n"];
    expect((await outcome(run("printf", ["%s|", ...words]))).stdout).toBe(`${words.join("|")}|`);
  });

  it("has an environment of four variables and those of the call", async () => {
    const { stdout } = await outcome(run("env", [], { env: { EXTRA: "1" } }));
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.sort()).toEqual(["EXTRA", "HOME", "LANG", "PATH", "TMPDIR"]);
  });

  it("inherits no descriptor that the daemon has open", async () => {
    const secret = await open(join(dir, "secret"), "w+");
    try {
      const { stdout } = await outcome(sh("ls -l /proc/$$/fd"));
      expect(stdout).toContain(" 2 -> ");
      expect(stdout).not.toContain("secret");
    } finally {
      await secret.close();
    }
  });

  it("reads its input from the call, and an empty one otherwise", async () => {
    expect((await outcome(run("cat", [], { stdin: Buffer.from("in") }))).stdout).toBe("in");
    expect((await outcome(run("cat", []))).stdout).toBe("");
    // A program that does not read what it is given ends as it would alone.
    const unread = await outcome(run("true", [], { stdin: Buffer.alloc(4_000_000) }));
    expect(unread.exit_code).toBe(0);
  });

  it("is looked up in the directories of PATH alone", async () => {
    await writeFile(join(dir, "bin/own"), "#!/bin/sh\necho own");
    expect(await run("own", [])).toMatchObject({ ok: false, kind: "not_found" });
    await chmod(join(dir, "bin/own"), 0o755);
    expect((await outcome(run("own", []))).stdout).toBe("own\n");
    expect((await outcome(run(join(dir, "bin/own"), []))).stdout).toBe("own\n");
    expect(await run("./bin/own", [])).toMatchObject({ ok: false, kind: "not_found" });
    expect(await run("no-such-program", [])).toMatchObject({ ok: false, kind: "not_found" });
  });

  it("a directory that does not exist is told as such", async () => {
    const missing = await run("true", [], { cwd: join(dir, "none") });
    expect(missing).toMatchObject({ ok: false, kind: "not_found" });
    expect(missing).toHaveProperty("message", expect.stringContaining(join(dir, "none")));
  });

  it("a proof for one program never starts another", async () => {
    const call = { program: "sh", args: [], cwd: dir, timeout_ms: 1_000, max_output_bytes: 10 };
    const proof = granted({ kind: "exec" as const, program: "true", args: [] });
    await expect(programs.run(proof, call, never)).rejects.toThrow("granted true, asked for sh");
    const read = granted({ kind: "file_read" as const, path: dir });
    await expect(programs.run(read, call, never)).rejects.toThrow("granted rg, asked for sh");
  });
});

describe("how a program ends", () => {
  it("an exit code and a signal are outcomes", async () => {
    expect(await outcome(sh("echo out; echo err >&2; exit 3"))).toMatchObject({
      exit_code: 3,
      signal: null,
      stdout: "out\n",
      stderr: "err\n",
      truncated: false,
      timed_out: false,
    });
    expect(await outcome(sh("kill -TERM $$"))).toMatchObject({
      exit_code: null,
      signal: "SIGTERM",
    });
  });

  it("keeps the head and the tail of long output and says how much is missing", async () => {
    const long = await outcome(sh("echo begin; head -c 1000000 /dev/zero | tr '\\0' x; echo end"));
    expect(long.truncated).toBe(true);
    expect(long.stdout).toMatch(/^begin\nx+/);
    expect(long.stdout).toMatch(/x+end\n$/);
    expect(long.stdout).toContain(`[… ${1_000_000 + 6 + 4 - 4_096} bytes left out …]`);
    expect(Buffer.byteLength(long.stdout)).toBeLessThan(4_096 + 100);
    const exact = await outcome(sh("head -c 4096 /dev/zero | tr '\\0' x"));
    expect(exact).toMatchObject({ truncated: false, stdout: "x".repeat(4_096) });
  });

  it("at a timeout the whole group is killed and what was said is kept", async () => {
    const pidFile = join(dir, "pid");
    const slow = await outcome(
      sh(`echo begun; sleep 60 & echo $! > ${pidFile}; wait`, { timeout_ms: 300 }),
    );
    expect(slow).toMatchObject({ timed_out: true, signal: "SIGKILL", stdout: "begun\n" });
    expect(slow.duration_ms).toBeLessThan(3_000);
    expect(await isAlive(await readFile(pidFile, "utf8"))).toBe(false);
  });

  it("an abort kills the whole group at once", async () => {
    const controller = new AbortController();
    const pidFile = join(dir, "pid");
    const running = sh(`sleep 60 & echo $! > ${pidFile}; wait`, {}, controller.signal);
    await sleep(200);
    controller.abort();
    expect(await running).toMatchObject({ ok: false, kind: "failed" });
    expect(await isAlive(await readFile(pidFile, "utf8"))).toBe(false);
  });

  it("what a program leaves behind is killed when it ends, and does not hold the call open", async () => {
    const pidFile = join(dir, "pid");
    const left = await outcome(sh(`sleep 60 & echo $! > ${pidFile}; echo done`));
    expect(left).toMatchObject({ exit_code: 0, stdout: "done\n" });
    expect(left.duration_ms).toBeLessThan(3_000);
    expect(await isAlive(await readFile(pidFile, "utf8"))).toBe(false);
  });

  it("a process that left the group does not hold the call open", async () => {
    const pidFile = join(dir, "pid");
    const left = await outcome(
      sh(`setsid sh -c 'echo $$ > ${pidFile}; exec sleep 60' & sleep 0.2; echo done`),
    );
    expect(left).toMatchObject({ exit_code: 0, stdout: "done\n" });
    expect(left.duration_ms).toBeLessThan(3_000);
    process.kill(Number(await readFile(pidFile, "utf8")), "SIGKILL");
  });
});

/** Whether a process runs; one that has ended and was not yet collected does not. */
async function isAlive(pid: string): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const stat = await readFile(`/proc/${pid.trim()}/stat`, "utf8").catch(() => "");
    if (stat === "" || stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")) return false;
    await sleep(20);
  }
  return true;
}
