import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProgramRequest } from "../protocol/compile.js";
import {
  authorityOf,
  type CompiledHost,
  programRequest,
  startCompiledHost,
} from "../test/compiled-launch.js";

const run = promisify(execFile);
const PROGRAMS = ["git", "rg", "cargo", "npm", "node", "python3", "make", "jq"];
let host: CompiledHost;
let dir = "";

beforeAll(async () => {
  host = startCompiledHost(await searchPath());
  dir = await mkdtemp(join(tmpdir(), "aaos-programs-"));
  await chmod(dir, 0o755);
  for (const name of ["repo/sub/deep", "home", "in", "out", "other"])
    await mkdir(`${dir}/${name}`, { recursive: true });
  await run("git", ["init", "-q", "-b", "main", `${dir}/repo`]);
  await writeFile(`${dir}/repo/a.txt`, "a needle\n");
  await writeFile(`${dir}/repo/.env`, "KEY=1\n");
  await writeFile(`${dir}/in/file`, "content\n");
  await writeFile(`${dir}/other/secret`, "secret\n");
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

/** Debian's places first; a rustup toolchain where cargo is not packaged. */
async function searchPath(): Promise<string> {
  const usual = "/usr/local/bin:/usr/bin:/bin";
  const { stdout } = await run("sh", ["-c", "rustc --print sysroot 2>/dev/null || true"]);
  return stdout.trim() === "" ? usual : `${usual}:${stdout.trim()}/bin`;
}

const policy = () => ({
  read: { allow: [dir] },
  write: { allow: [dir] },
  exec: { allow: PROGRAMS },
});
const inRepo = () => ({ cwd: `${dir}/repo`, home: `${dir}/home` });
const agent = (...capabilities: readonly string[]) =>
  authorityOf([...PROGRAMS.map((name) => `exec: ${name}`), ...capabilities], policy());
const developer = () => agent(`file_read: ${dir}/repo/*`, `file_write: ${dir}/repo/*`);
const start = (
  program: string,
  args: readonly string[],
  change: Partial<ProgramRequest> = inRepo(),
  authority = developer(),
) => host.run(programRequest(program, args, change), authority);
/** What a line of Python answers: `ok`, or the name of the error. */
const python = async (code: string, authority = developer(), change = inRepo()) => {
  const lines = `import os, errno\ntry:\n ${code}\n print('ok')\nexcept OSError as e: print(errno.errorcode[e.errno])`;
  const { stdout, stderr } = await start("python3", ["-c", lines], change, authority);
  expect(stderr).toBe("");
  return stdout.trim();
};

describe("programs run in their compiled sandbox", { timeout: 60_000 }, () => {
  it("rg finds, and starts nothing else", async () => {
    expect((await start("rg", ["needle"])).stdout).toBe("a.txt:a needle\n");
    const pre = await start("rg", ["--pre", "/usr/bin/cat", "needle"]);
    expect(pre.stdout).toBe("");
    expect(pre.exitCode).toBe(2);
  });

  it("jq computes", async () => {
    expect((await start("jq", ["-n", "1+1"])).stdout).toBe("2\n");
  });

  it("git adds, commits and tells, and starts no shell", async () => {
    expect((await start("git", ["add", "a.txt"])).exitCode).toBe(0);
    expect(await start("git", ["commit", "-q", "-m", "first"])).toMatchObject({
      exitCode: 0,
      stderr: "",
    });
    expect((await start("git", ["log", "--format=%s"])).stdout).toBe("first\n");
    expect((await start("git", ["status", "--short"])).stdout).not.toContain("a.txt");
    const alias = await start("git", ["-c", "alias.x=!echo hi", "x"]);
    expect(alias.stderr).toContain("cannot run");
    const config = await start("git", ["config", "core.fsmonitor", "/bin/evil"]);
    expect(config.exitCode).not.toBe(0);
    expect(await readFile(`${dir}/repo/.git/config`, "utf8")).not.toContain("evil");
  });

  it("git_commit gives its directory alone, and no other program", async () => {
    const authority = authorityOf([`git_commit: ${dir}/repo`], policy());
    const purpose = { kind: "git_commit", dir: `${dir}/repo` } as const;
    const status = await start("git", ["status", "--short"], { ...inRepo(), purpose }, authority);
    expect(status.exitCode).toBe(0);
    await expect(start("node", ["-e", "0"], { ...inRepo(), purpose }, authority)).rejects.toThrow(
      "no token grants",
    );
    const elsewhere = { kind: "git_commit", dir: `${dir}/other` } as const;
    const request = { cwd: `${dir}/other`, purpose: elsewhere };
    await expect(start("git", ["status"], request, authority)).rejects.toThrow("no token grants");
  });

  it("node runs, reads nothing ungranted and starts nothing but itself", async () => {
    const code = `
      const { execFileSync } = require("child_process");
      const tell = (f) => { try { f(); console.log("ok"); } catch (e) { console.log(e.code); } };
      tell(() => require("fs").readFileSync("a.txt"));
      tell(() => require("fs").readFileSync("${dir}/other/secret"));
      tell(() => execFileSync("/usr/bin/git", ["--version"]));
      tell(() => execFileSync(process.execPath, ["--version"]));
      tell(() => require("net").connect(80, "127.0.0.1").on("error", (e) => console.log(e.code)));`;
    expect((await start("node", ["-e", code])).stdout.trim().split("\n")).toEqual([
      "ok",
      "ENOENT",
      "ENOENT",
      "ok",
      "ok",
      "EPERM",
    ]);
  });

  it("python3 runs with its own library", async () => {
    const code =
      "import ssl, sqlite3, ctypes, json, zoneinfo; print(json.dumps([1, zoneinfo.ZoneInfo('Europe/Berlin').key]))";
    expect((await start("python3", ["-c", code])).stdout).toBe('[1, "Europe/Berlin"]\n');
  });

  it("npm tells its version and runs scripts", async () => {
    await mkdir(`${dir}/repo/pkg`, { recursive: true });
    const manifest = {
      name: "x",
      version: "1.0.0",
      scripts: { hi: "node -e 'console.log(40+2)'" },
    };
    await writeFile(`${dir}/repo/pkg/package.json`, JSON.stringify(manifest));
    expect((await start("npm", ["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const hi = await start("npm", ["run", "-s", "hi"], { ...inRepo(), cwd: `${dir}/repo/pkg` });
    expect(hi).toMatchObject({ stdout: "42\n", exitCode: 0 });
  });

  it("make runs recipes with the C compiler, and what it built", async () => {
    await writeFile(`${dir}/repo/Makefile`, "prog: prog.c\n\tcc prog.c -o prog && ./prog\n");
    await writeFile(`${dir}/repo/prog.c`, '#include <stdio.h>\nint main(void){puts("native");}\n');
    expect((await start("make", ["-s", "prog"])).stdout).toBe("native\n");
    expect(await python("os.execv('prog', ['prog'])")).toBe("EACCES");
  });

  it("cargo builds and runs build scripts and tests", async () => {
    const crate = `${dir}/repo/crate`;
    await mkdir(`${crate}/src`, { recursive: true });
    await writeFile(
      `${crate}/Cargo.toml`,
      '[package]\nname="c"\nversion="0.1.0"\nedition="2021"\n',
    );
    await writeFile(`${crate}/build.rs`, "fn main(){}");
    await writeFile(`${crate}/src/main.rs`, "fn main(){}\n#[test] fn one(){assert_eq!(1,1)}");
    expect((await start("cargo", ["--version"])).stdout).toMatch(/^cargo 1\./);
    const purpose = { kind: "cargo_run", dir: crate } as const;
    const authority = authorityOf([`cargo_run: ${crate}`], policy());
    const request = { cwd: crate, home: `${dir}/home`, purpose };
    const test = await start("cargo", ["test", "-q"], request, authority);
    expect(test.stdout).toContain("1 passed");
  });
});

describe("the environment of a program", () => {
  it("holds a fixed list, and nothing that loads code", async () => {
    const env = {
      LD_PRELOAD: "/x",
      NODE_OPTIONS: "--require x",
      GIT_DIR: "/x",
      BASH_ENV: "/x",
      PATH: "/x",
      MY_FLAG: "1",
    };
    const code = "console.log(Object.keys(process.env).sort().join())";
    const { stdout } = await start("node", ["-e", code], { ...inRepo(), env });
    expect(stdout.trim()).toBe(
      "HOME,LANG,LOGNAME,MY_FLAG,NODE_REPL_HISTORY,PATH,SHELL,TERM,TMPDIR,TZ,USER",
    );
  });

  it("HOME given is kept, HOME not given is empty and gone after the call", async () => {
    const keep = [
      "-c",
      "import os; open(os.environ['HOME'] + '/kept', 'w'); print(os.listdir(os.environ['HOME']))",
    ];
    expect((await start("python3", keep)).stdout).toContain("kept");
    expect(await readdir(`${dir}/home`)).toContain("kept");
    const without = await start("python3", keep, { cwd: `${dir}/repo`, home: null });
    expect(without.stdout).toBe("['kept']\n");
  });
});
