import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Granted } from "../protocol/access.js";
import {
  authorityOf,
  type CompiledHost,
  FILE_WORKER,
  programRequest,
  startCompiledHost,
} from "../test/compiled-launch.js";
import { createFileWorker, type FileWorker } from "./file-worker.js";

let host: CompiledHost;
let dir = "";

beforeAll(async () => {
  host = startCompiledHost("/usr/bin:/bin");
  dir = await mkdtemp(join(tmpdir(), "aaos-grants-"));
  await chmod(dir, 0o755);
  for (const name of ["repo/.git/hooks", "repo/sub/deep", "home", "in", "out", "other"])
    await mkdir(`${dir}/${name}`, { recursive: true });
  await writeFile(`${dir}/repo/a.txt`, "a\n");
  await writeFile(`${dir}/repo/.env`, "KEY=1\n");
  await writeFile(`${dir}/repo/.git/config`, "");
  await writeFile(`${dir}/in/file`, "content\n");
  await writeFile(`${dir}/other/secret`, "secret\n");
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

const policy = () => ({
  read: { allow: [dir] },
  write: { allow: [dir] },
  exec: { allow: ["python3", "jq", "rg"] },
});
const inRepo = () => ({ cwd: `${dir}/repo`, home: `${dir}/home` });
const agent = (...capabilities: readonly string[]) =>
  authorityOf(["exec: python3", "exec: jq", "exec: rg", ...capabilities], policy());
const developer = () => agent(`file_read: ${dir}/repo/*`, `file_write: ${dir}/repo/*`);
/** What a line of Python answers: `ok`, or the name of the error. */
const python = async (code: string, authority = developer(), change = inRepo()) => {
  const lines = `import os, errno\ntry:\n ${code}\n print('ok')\nexcept OSError as e: print(errno.errorcode[e.errno])`;
  const request = programRequest("python3", ["-c", lines], change);
  const { stdout, stderr } = await host.run(request, authority);
  expect(stderr).toBe("");
  return stdout.trim();
};

describe("file grants around a program", { timeout: 60_000 }, () => {
  it("what is not granted is not there; the granted twin is", async () => {
    expect(await python(`open('${dir}/other/secret')`)).toBe("ENOENT");
    expect(
      await python(`open('${dir}/other/secret')`, agent(`file_read: ${dir}/*`), {
        cwd: dir,
        home: `${dir}/home`,
      }),
    ).toBe("ok");
  });

  it("a read grant takes no writing, a write grant alone no reading", async () => {
    const authority = agent(`file_read: ${dir}/in/*`, `file_write: ${dir}/out/*`);
    const at = { cwd: `${dir}/in`, home: `${dir}/home` };
    expect(await python(`open('${dir}/in/file').read()`, authority, at)).toBe("ok");
    expect(await python(`open('${dir}/in/file', 'a')`, authority, at)).toMatch(/EROFS|EACCES/);
    expect(await python(`open('${dir}/out/box', 'w').write('x')`, authority, at)).toBe("ok");
    expect(await python(`open('${dir}/out/box')`, authority, at)).toBe("EACCES");
    expect(await python(`os.listdir('${dir}/out')`, authority, at)).toBe("EACCES");
    expect(await python(`os.unlink('${dir}/out/box')`, authority, at)).toBe("EACCES");
  });

  it("one file is one file", async () => {
    const authority = agent(`file_read: ${dir}/repo/a.txt`, `file_read: ${dir}/in/*`);
    const at = { cwd: `${dir}/in`, home: `${dir}/home` };
    expect(await python(`open('${dir}/repo/a.txt')`, authority, at)).toBe("ok");
    expect(await python(`open('${dir}/repo/.env')`, authority, at)).toBe("ENOENT");
  });

  it("what turns into execution later is read-only at any depth, and its ancestors stay", async () => {
    await mkdir(`${dir}/repo/sub/deep/1/2/3/4/5/.git/hooks`, { recursive: true });
    await mkdir(`${dir}/repo/sub/deep/.github/workflows`, { recursive: true });
    await writeFile(`${dir}/repo/sub/deep/CLAUDE.md`, "");
    for (const path of [
      ".env",
      ".git/config",
      ".git/hooks/evil",
      "sub/deep/1/2/3/4/5/.git/hooks/evil",
      "sub/deep/CLAUDE.md",
      "sub/deep/.github/workflows/x.yml",
    ])
      expect(await python(`open('${path}', 'a')`), path).toBe("EROFS");
    for (const path of ["sub", "sub/deep", ".git", "sub/deep/1/2/3/4/5/.git"])
      expect(await python(`os.rename('${path}', '${path}-2')`), path).toBe("EBUSY");
    expect(await python("open('sub/deep/plain', 'w')")).toBe("ok");
    const named = agent(
      `file_read: ${dir}/repo/*`,
      `file_write: ${dir}/repo/*`,
      `file_write: ${dir}/repo/.env`,
    );
    expect(await python("open('.env', 'a')", named)).toBe("ok");
    expect(await python("open('.git/hooks/evil', 'a')", named)).toBe("EROFS");
  });

  it("what the policy denies within a grant is empty, and takes nothing; the run's own workspace below it is there", async () => {
    await mkdir(`${dir}/state/runs/R1`, { recursive: true });
    await mkdir(`${dir}/state/keys`, { recursive: true });
    await writeFile(`${dir}/state/keys/key`, "k");
    const authority = authorityOf(
      ["exec: python3", `file_read: ${dir}/*`, `file_write: ${dir}/*`],
      policy(),
      { workspace: `${dir}/state/runs/R1`, never: [`${dir}/state`] },
    );
    const at = { cwd: `${dir}/repo`, home: `${dir}/home` };
    expect(await python(`open('${dir}/state/keys/key')`, authority, at)).toBe("ENOENT");
    expect(await python(`open('${dir}/state/new', 'w')`, authority, at)).toBe("ENOSPC");
    expect(await python(`open('${dir}/state/runs/R1/note', 'w').write('x')`, authority, at)).toBe(
      "ok",
    );
    expect(await python(`open('${dir}/state/runs/other', 'w')`, authority, at)).toBe("ENOSPC");
    expect(await readFile(`${dir}/state/runs/R1/note`, "utf8")).toBe("x");
    expect(await readdir(`${dir}/state`)).toEqual(["keys", "runs"]);
  });

  it("write.deny within a write grant leaves reading", async () => {
    const rules = { ...policy(), write: { allow: [dir], deny: [`${dir}/repo/sub`] } };
    const authority = authorityOf(
      ["exec: python3", `file_read: ${dir}/repo/*`, `file_write: ${dir}/repo/*`],
      rules,
    );
    expect(await python("open('sub/x', 'w')", authority)).toBe("EROFS");
    expect(await python("os.listdir('sub')", authority)).toBe("ok");
    expect(await python("open('top', 'w')", authority)).toBe("ok");
  });

  it("a grant whose path is a link gives nothing", async () => {
    await symlink(`${dir}/other`, `${dir}/link`);
    const authority = agent(`file_read: ${dir}/link/*`, `file_read: ${dir}/in/*`);
    const at = { cwd: `${dir}/in`, home: `${dir}/home` };
    expect(await python(`open('${dir}/link/secret')`, authority, at)).toBe("ENOENT");
    const compiled = await host.compile(programRequest("jq", [], at), authority);
    expect(compiled).toMatchObject({ ok: true });
    expect(
      compiled.ok &&
        compiled.kernel_strength.find(({ capability }) => capability.includes("link"))?.holds,
    ).toBe("absent");
  });

  it("no file, link or directory is left behind by a launch", async () => {
    await host.run(programRequest("rg", ["a"], inRepo()), developer());
    await expect(stat(`${dir}/repo/.mcp.json`)).rejects.toThrow(/ENOENT/);
  });
});

describe("the file worker under its compiled plan", () => {
  const { signal } = new AbortController();
  const bytes = new TextEncoder().encode("x");
  // The proof is policy's to give; here the worker is asked what the check above it would have refused.
  const toRead = (path: string) =>
    ({ kind: "file_read", path: `${dir}/${path}` }) as Granted<"file_read">;
  const toWrite = (path: string) =>
    ({ kind: "file_write", path: `${dir}/${path}` }) as Granted<"file_write">;

  async function using(
    capabilities: readonly string[],
    use: (port: FileWorker["port"]) => Promise<void>,
  ): Promise<void> {
    const request = { kind: "files", worker: FILE_WORKER, cgroup_name: "files" } as const;
    const compiled = await host.compile(request, agent(...capabilities));
    if (!compiled.ok) throw new Error("not compiled");
    const worker = createFileWorker({
      machine: host,
      compile: async () => compiled,
      idleMs: 10_000,
    });
    try {
      await use(worker.port);
    } finally {
      await worker.close();
    }
  }
  const all = { offset_bytes: 0, max_bytes: 100 };

  it("reads and lists what is read, writes what is written, and nothing else", async () => {
    await using([`file_read: ${dir}/in/*`, `file_write: ${dir}/out/*`], async (port) => {
      expect(await port.read(toRead("in/file"), all, signal)).toMatchObject({ ok: true });
      expect(await port.list(toRead("in"), 10, signal)).toMatchObject({ ok: true });
      expect(await port.read(toRead("other/secret"), all, signal)).toMatchObject({
        kind: "denied",
      });
      const content = { bytes, append: false };
      expect(await port.write(toWrite("out/new/file"), content, signal)).toMatchObject({
        ok: true,
      });
      expect(await port.write(toWrite("out/new/file"), content, signal)).toMatchObject({
        ok: true,
      });
      expect(
        await port.write(toWrite("out/new/file"), { bytes, append: true }, signal),
      ).toMatchObject({ ok: true });
      expect(await port.write(toWrite("in/file"), content, signal)).toMatchObject({
        kind: "denied",
      });
      expect(await port.read(toRead("out/new/file"), all, signal)).toMatchObject({
        kind: "denied",
      });
      expect(await readFile(`${dir}/out/new/file`, "utf8")).toBe("xx");
    });
  });

  it("holds a single file by its name, and reads what replaced it", async () => {
    const capabilities = [`file_read: ${dir}/other/note`, `file_write: ${dir}/other/note`];
    await using(capabilities, async (port) => {
      const content = { bytes, append: false };
      for (const round of [1, 2]) {
        expect(await port.write(toWrite("other/note"), content, signal), `${round}`).toMatchObject({
          ok: true,
        });
        expect(await port.read(toRead("other/note"), all, signal), `${round}`).toMatchObject({
          ok: true,
        });
      }
      expect(await port.read(toRead("other/secret"), all, signal)).toMatchObject({
        kind: "denied",
      });
      expect(await port.write(toWrite("other/secret"), content, signal)).toMatchObject({
        kind: "denied",
      });
    });
  });

  it("does not write what turns into execution, even where the check above failed", async () => {
    await using([`file_write: ${dir}/repo/*`], async (port) => {
      const content = { bytes, append: false };
      for (const path of ["repo/.git/hooks/evil", "repo/.git/config", "repo/.env"])
        expect((await port.write(toWrite(path), content, signal)).ok, path).toBe(false);
      expect(await port.write(toWrite("repo/plain"), content, signal)).toMatchObject({ ok: true });
    });
  });
});
