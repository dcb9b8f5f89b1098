import { spawn } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ToolResult } from "../protocol/tool-call.js";
import { openTestAgent, type TestAgent, testBase } from "../test/confined-agent.js";
import { granted } from "../test/tool-context.js";

const signal = new AbortController().signal;
const WHOLE = { offset_bytes: 0, max_bytes: 1_024 };
const GRANTS = [
  "file_read: {base}/in/*",
  "file_write: {base}/out/*",
  "file_read: {base}/work/*",
  "file_write: {base}/work/*",
];
let base: string;
let agent: TestAgent;

beforeAll(async () => {
  base = await testBase();
  await writeFile(`${base}/in/file`, "granted");
  await writeFile(`${base}/secret/file`, "secret");
  agent = await openTestAgent(base, { grants: GRANTS });
});
afterAll(() => agent[Symbol.asyncDispose]());

const read = (path: string) => agent.call("file_read", { path: `${base}/${path}` });
const write = (path: string, content = "x") =>
  agent.call("file_write", { path: `${base}/${path}`, content });
/** Past the check: what the kernel alone says. */
const readAnyway = (path: string) =>
  agent
    .unchecked()
    .files.read(granted({ kind: "file_read", path: `${base}/${path}` }), WHOLE, signal);
const writeAnyway = (path: string) =>
  agent
    .unchecked()
    .files.write(
      granted({ kind: "file_write", path: `${base}/${path}` }),
      { bytes: Buffer.from("x"), append: false },
      signal,
    );
const denied = (layer: string, capability: string) => ({
  ok: false,
  error: { kind: "denied", layer, capability },
});
const kernelDenied = (capability: string) => ({
  ok: false,
  kind: "denied",
  denial: { layer: "kernel", capability },
});
const text = (result: ToolResult) => JSON.stringify(result.ok ? result.output : result.error);

describe("an agent reads", () => {
  it("A19 U13 what is granted, in a worker under every layer", async () => {
    expect(text(await read("in/file"))).toContain("granted");
    const result = agent.events().findLast((event) => event.kind === "tool_result");
    expect(result).toMatchObject({ execution_surface: "worker" });
    expect(result?.kind === "tool_result" ? result.confinement.join("; ") : "").toMatch(
      /namespaces user,mount,pid.*landlock \d.*seccomp \d+.*capabilities none.*rlimits \d/,
    );
  });

  it("a path as people and models write it: with a slash at its end, a dot or two", async () => {
    expect(text(await agent.call("file_list", { path: `${base}/in/` }))).toContain('"file"');
    for (const path of ["/in//file", "in/./file", "in/file/", "secret/../in/file"])
      expect(text(await read(path))).toContain("granted");
    for (const path of ["in/../secret/file", "in/./../secret//file/"])
      expect(await read(path)).toMatchObject(denied("token", `file_read: ${base}/secret/file`));
  });

  it("no path that no file can have: it is told so", async () => {
    for (const path of ["a".repeat(256), "é".repeat(128), "a/".repeat(2_100)])
      expect(await read(`in/${path}`)).toMatchObject({ error: { kind: "invalid_input" } });
    expect(text(await read(`in/${"é".repeat(127)}`))).toContain("no such file");
  });

  it("nothing outside its grants: neither past the tokens nor past the kernel", async () => {
    const path = `${base}/secret/file`;
    expect(await read("secret/file")).toMatchObject(denied("token", `file_read: ${path}`));
    expect(await readAnyway("secret/file")).toMatchObject(kernelDenied(`file_read: ${path}`));
    expect(await readAnyway("in/file")).toMatchObject({ ok: true });
  });

  it("of what is not granted not even whether it exists", async () => {
    const there = await readAnyway("secret/file");
    const absent = await readAnyway("secret/none");
    expect(absent).toMatchObject(kernelDenied(`file_read: ${base}/secret/none`));
    expect({ ...there, message: "", denial: "" }).toEqual({ ...absent, message: "", denial: "" });
    expect(await readAnyway("in/none")).toMatchObject({ ok: false, kind: "not_found" });
  });

  it("a directory that was replaced meanwhile, and files in one that was missing", async () => {
    await rename(`${base}/in`, `${base}/in-old`);
    expect(await readAnyway("in/file")).toMatchObject({ ok: false });
    await mkdir(`${base}/in`);
    await writeFile(`${base}/in/file`, "granted anew");
    expect(text(await read("in/file"))).toContain("granted anew");
    await rm(`${base}/in-old`, { recursive: true });
  });

  it("A22-32 A22-29 U16 never through a link that is swapped in during the call, however often it is tried", async () => {
    await mkdir(`${base}/in/real`);
    await writeFile(`${base}/in/real/file`, "granted");
    await rename(`${base}/in/real`, `${base}/in/swapped`);
    await symlink(`${base}/secret`, `${base}/in/link`);
    // renameat2(RENAME_EXCHANGE) by way of three renames, as fast as a process can.
    const script = `import os
p = ${JSON.stringify(`${base}/in`)}
while True:
    os.rename(p + "/swapped", p + "/aside"); os.rename(p + "/link", p + "/swapped"); os.rename(p + "/aside", p + "/link")
    os.rename(p + "/swapped", p + "/aside"); os.rename(p + "/link", p + "/swapped"); os.rename(p + "/aside", p + "/link")`;
    const swapper = spawn("python3", ["-c", script], { stdio: "ignore" });
    try {
      const seen = new Set<string>();
      for (let tries = 0; tries < 3_000; tries++) {
        const result = await readAnyway("in/swapped/file");
        seen.add(result.ok ? Buffer.from(result.value.bytes).toString() : result.kind);
      }
      expect(seen).toContain("granted");
      expect([...seen].filter((each) => !/^(granted|denied|not_found|failed)$/.test(each))).toEqual(
        [],
      );
      for (let tries = 0; tries < 30; tries++)
        expect(text(await read("in/swapped/file"))).not.toContain('"secret');
    } finally {
      swapper.kill("SIGKILL");
    }
  });
});

describe("an agent writes", () => {
  it("U8 U12 what is granted, making the directories on the way", async () => {
    expect(await write("out/a/b/new", "content")).toMatchObject({ ok: true });
    expect(await readFile(`${base}/out/a/b/new`, "utf8")).toBe("content");
  });

  it("A24-13 nothing else, and a refused write leaves no trace", async () => {
    for (const path of ["secret/file", "secret/new", "in/file", "in/new"]) {
      const capability = `file_write: ${base}/${path}`;
      expect(await write(path)).toMatchObject(denied("token", capability));
      expect(await writeAnyway(path)).toMatchObject(kernelDenied(capability));
    }
    expect(await readFile(`${base}/secret/file`, "utf8")).toBe("secret");
    expect(await readdir(`${base}/secret`)).toEqual(["file"]);
    expect(await readdir(`${base}/in`)).not.toContain("new");
  });

  it("a write-only directory is not read, not even what it wrote there itself", async () => {
    expect(await write("out/box", "mine")).toMatchObject({ ok: true });
    expect(await read("out/box")).toMatchObject(denied("token", `file_read: ${base}/out/box`));
    expect(await readAnyway("out/box")).toMatchObject(kernelDenied(`file_read: ${base}/out/box`));
    expect(await write("work/both", "mine")).toMatchObject({ ok: true });
    expect(text(await read("work/both"))).toContain("mine");
  });

  it("what others may execute later is read-only inside its grant: hooks and configuration of a repository", async () => {
    await mkdir(`${base}/work/deep/er/repo/.git/hooks`, { recursive: true });
    await writeFile(`${base}/work/deep/er/repo/.git/config`, "[core]\n");
    for (const path of [".git/hooks/pre-commit", ".git/config", ".git/hooks"]) {
      expect(await write(`work/deep/er/repo/${path}`), path).toMatchObject({ ok: false });
    }
    expect(await write("work/deep/er/repo/source.c")).toMatchObject({ ok: true });
    expect(await readdir(`${base}/work/deep/er/repo/.git/hooks`)).toEqual([]);
  });
});

describe("tokens that change", () => {
  it("A22-11 a revoked token is gone at once, from the kernel too; what is left still works", async () => {
    expect(await write("work/before", "x")).toMatchObject({ ok: true });
    agent.revoke(`"file_write","glob":"${base}/work`);
    expect(await write("work/after")).toMatchObject({ ok: false, error: { kind: "denied" } });
    expect(await writeAnyway("work/after")).toMatchObject(
      kernelDenied(`file_write: ${base}/work/after`),
    );
    expect(text(await read("work/before"))).toContain("x");
    expect(await readdir(`${base}/work`)).not.toContain("after");
  });
});

describe("an agent that ends", () => {
  it("A22-37 A22-2 leaves no process, running or dead", async () => {
    const other = await openTestAgent(await testBase(), {
      grants: ["file_read: {base}/in/*"],
    });
    await writeFile(`${other.base}/in/f`, "x");
    await other.call("file_read", { path: `${other.base}/in/f` });
    const launcher = async () => (await childrenOf(process.pid)).length;
    const before = await launcher();
    await other[Symbol.asyncDispose]();
    await sleep(50);
    expect(await launcher()).toBe(before - 1);
  });
});

async function childrenOf(pid: number): Promise<readonly string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ");
}
