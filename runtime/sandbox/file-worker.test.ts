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
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Granted } from "../protocol/access.js";
import type { ConfinementPlan } from "../protocol/confinement.js";
import {
  granting,
  NATIVE_BUILD,
  type ProbeHost,
  probePlan,
  READ,
  startProbeHost,
  syscallsOf,
  WRITE,
} from "../test/confined.js";
import { createFileWorker, type FileWorker } from "./file-worker.js";

const WORKER = `${NATIVE_BUILD}/aaos-files`;
const signal = new AbortController().signal;
let host: ProbeHost;
let dir = "";
let worker: FileWorker | undefined;

/** Grants by directory: `in` is read, `out` written, `both` both; `exact` may be written at one path only. */
function filesPlan(): ConfinementPlan {
  const base = probePlan([]);
  const both = [...READ, ...WRITE, "remove_file" as const];
  const plan: ConfinementPlan = {
    ...base,
    kind: "files",
    namespaces: ["user", "mount", "pid", "ipc", "uts", "cgroup"],
    root: [{ type: "bind", mode: "exec", path: WORKER }],
    landlock: { ...base.landlock, fs_rules: [{ path: WORKER, rights: ["execute", "read_file"] }] },
    seccomp: syscallsOf("files"),
    dev: false,
    proc: "none",
    executable: WORKER,
    argv: [
      "aaos-files",
      `r*${dir}/in`,
      `w*${dir}/out`,
      `b*${dir}/both`,
      `w=${dir}/exact/this`,
      `r=${dir}/exact/that`,
    ],
    umask: 0o22,
  };
  return granting(
    plan,
    [
      { type: "bind", mode: "ro", path: `${dir}/in` },
      { type: "bind", mode: "write", path: `${dir}/out` },
      { type: "bind", mode: "rw", path: `${dir}/both` },
      { type: "bind", mode: "rw", path: `${dir}/exact` },
    ],
    [
      { path: `${dir}/in`, rights: READ },
      { path: `${dir}/out`, rights: [...WRITE, "remove_file"] },
      { path: `${dir}/both`, rights: both },
      { path: `${dir}/exact`, rights: both },
    ],
  );
}

const compiledTo = (plan: () => ConfinementPlan) => async () =>
  ({
    ok: true,
    plan: plan(),
    ...{ kernel_strength: [], notes: [], depends_on: [], make_dirs: [], rescan: [] },
  }) as const;

// The proof is policy's to give; here the worker is asked what the check above it would have refused.
const grantedRead = (path: string) => ({ kind: "file_read", path }) as Granted<"file_read">;
const grantedWrite = (path: string) => ({ kind: "file_write", path }) as Granted<"file_write">;
const port = () => {
  if (worker === undefined) throw new Error("no worker");
  return worker.port;
};
const read = async (path: string, offset_bytes = 0, max_bytes = 1 << 20) => {
  const range = { offset_bytes, max_bytes };
  const result = await port().read(grantedRead(`${dir}/${path}`), range, signal);
  return result.ok ? Buffer.from(result.value.bytes).toString() : result;
};
const write = (path: string, text: string, append = false) =>
  port().write(
    grantedWrite(`${dir}/${path}`),
    { bytes: new TextEncoder().encode(text), append },
    signal,
  );
const deniedFor = (capability: string) => ({
  ok: false,
  kind: "denied",
  denial: { layer: "kernel", capability },
});

beforeAll(() => {
  host = startProbeHost();
});
beforeEach(async () => {
  await worker?.close();
  if (dir !== "") await rm(dir, { recursive: true, force: true });
  dir = await mkdtemp(join(tmpdir(), "aaos-files-"));
  await chmod(dir, 0o755);
  for (const name of ["in", "out", "both", "exact"]) await mkdir(`${dir}/${name}`);
  await writeFile(`${dir}/in/file`, "0123456789");
  await writeFile(`${dir}/exact/that`, "that");
  await writeFile(`${dir}/secret`, "secret");
  const { addon, spawner } = host;
  worker = createFileWorker({
    machine: { addon, spawner },
    compile: compiledTo(filesPlan),
    idleMs: 60_000,
  });
});
afterAll(async () => {
  await worker?.close();
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

describe("reading", () => {
  it("gives the range asked for and the whole size", async () => {
    expect(await read("in/file")).toBe("0123456789");
    expect(await read("in/file", 3, 4)).toBe("3456");
    expect(await read("in/file", 20)).toBe("");
    const part = await port().read(
      grantedRead(`${dir}/in/file`),
      { offset_bytes: 8, max_bytes: 1 },
      signal,
    );
    expect(part).toMatchObject({ ok: true, value: { size_bytes: 10 } });
  });

  it("a file outside every grant is denied, with the capability that would allow it", async () => {
    expect(await read("secret")).toMatchObject(deniedFor(`file_read: ${dir}/secret`));
    expect(await read("absent")).toMatchObject(deniedFor(`file_read: ${dir}/absent`));
    expect(await read("in/absent")).toMatchObject({ ok: false, kind: "not_found" });
  });

  it("a directory is no file, and a path with dots is no path", async () => {
    expect(await read("in")).toMatchObject({ ok: false, kind: "failed" });
    expect(await read("in/../secret")).toMatchObject({ ok: false, kind: "failed" });
  });

  it("more than one frame holds arrives whole", async () => {
    const big = Buffer.alloc(9 * 1_024 * 1_024, "x");
    await writeFile(`${dir}/in/big`, big);
    expect(await read("in/big", 0, 1 << 30)).toHaveLength(big.length);
  });

  it("an exact grant reaches that path and not its neighbour", async () => {
    expect(await read("exact/that")).toBe("that");
    await writeFile(`${dir}/exact/other`, "other");
    expect(await read("exact/other")).toMatchObject(deniedFor(`file_read: ${dir}/exact/other`));
  });
});

describe("symbolic links", () => {
  it("are followed to where the same right is granted, and nowhere else", async () => {
    await writeFile(`${dir}/both/target`, "target");
    await symlink("../both/target", `${dir}/in/relative`);
    await symlink(`${dir}/both`, `${dir}/in/absolute`);
    await symlink(`${dir}/secret`, `${dir}/in/out`);
    await symlink(`${dir}/out`, `${dir}/in/writeonly`);
    expect(await read("in/relative")).toBe("target");
    expect(await read("in/absolute/target")).toBe("target");
    expect(await read("in/out")).toMatchObject(deniedFor(`file_read: ${dir}/secret`));
    expect(await read("in/writeonly/x")).toMatchObject(deniedFor(`file_read: ${dir}/out/x`));
  });

  it("are written through to their target, which must be granted", async () => {
    await symlink(`${dir}/both/new`, `${dir}/out/link`);
    await symlink(`${dir}/secret`, `${dir}/out/evil`);
    expect(await write("out/link", "through")).toMatchObject({ ok: true });
    expect(await readFile(`${dir}/both/new`, "utf8")).toBe("through");
    expect(await write("out/evil", "x")).toMatchObject(deniedFor(`file_write: ${dir}/secret`));
    expect(await readFile(`${dir}/secret`, "utf8")).toBe("secret");
  });

  it("in a circle end", async () => {
    await symlink("b", `${dir}/in/a`);
    await symlink("a", `${dir}/in/b`);
    expect(await read("in/a")).toMatchObject({ ok: false, kind: "failed" });
  });
});

describe("writing", () => {
  it("replaces the whole file, keeps its mode, makes parents, leaves no temporary file", async () => {
    await writeFile(`${dir}/both/file`, "a longer content than the new one", { mode: 0o640 });
    expect(await write("both/file", "new")).toEqual({ ok: true, value: { bytes_written: 3 } });
    expect(await readFile(`${dir}/both/file`, "utf8")).toBe("new");
    expect((await stat(`${dir}/both/file`)).mode & 0o777).toBe(0o640);
    expect(await write("both/a/b/c", "deep")).toMatchObject({ ok: true });
    expect(await readFile(`${dir}/both/a/b/c`, "utf8")).toBe("deep");
    expect(await readdir(`${dir}/both`)).toEqual(["a", "file"]);
  });

  it("gives a new file and a new folder the modes that the plan's umask leaves, and no more", async () => {
    expect(await write("both/new/file", "x")).toMatchObject({ ok: true });
    expect((await stat(`${dir}/both/new`)).mode & 0o777).toBe(0o755);
    expect((await stat(`${dir}/both/new/file`)).mode & 0o777).toBe(0o644);
    expect(await write("both/log", "x", true)).toMatchObject({ ok: true });
    expect((await stat(`${dir}/both/log`)).mode & 0o777).toBe(0o644);
  });

  it("appends", async () => {
    expect(await write("both/log", "one", true)).toMatchObject({ ok: true });
    expect(await write("both/log", " two", true)).toMatchObject({ ok: true });
    expect(await readFile(`${dir}/both/log`, "utf8")).toBe("one two");
  });

  it("without read access is write-only", async () => {
    expect(await write("out/report", "text")).toMatchObject({ ok: true });
    expect(await write("out/report", " more", true)).toMatchObject({ ok: true });
    expect(await readFile(`${dir}/out/report`, "utf8")).toBe("text more");
    expect(await read("out/report")).toMatchObject(deniedFor(`file_read: ${dir}/out/report`));
    const listed = await port().list(grantedRead(`${dir}/out`), 10, signal);
    expect(listed).toMatchObject(deniedFor(`file_read: ${dir}/out`));
  });

  it("where only reading is granted is denied", async () => {
    expect(await write("in/file", "x")).toMatchObject(deniedFor(`file_write: ${dir}/in/file`));
    expect(await write("exact/that", "x")).toMatchObject({ ok: false, kind: "denied" });
    expect(await write("exact/this", "x")).toMatchObject({ ok: true });
  });
});

describe("listing", () => {
  it("is sorted and bounded, and knows a file from a directory", async () => {
    await mkdir(`${dir}/in/b`);
    await writeFile(`${dir}/in/a`, "1");
    await symlink("nowhere", `${dir}/in/z`);
    const list = async (path: string, max: number) => {
      const result = await port().list(grantedRead(`${dir}/${path}`), max, signal);
      return result.ok ? result.value : result;
    };
    expect(await list("in", 2)).toMatchObject({
      kind: "dir",
      truncated: true,
      entries: [
        { name: "a", kind: "file", size_bytes: 1 },
        { name: "b", kind: "dir" },
      ],
    });
    expect(await list("in", 10)).toMatchObject({ truncated: false });
    const itself = { name: "file", kind: "file", size_bytes: 10 };
    expect(await list("in/file", 10)).toEqual({
      ...{ kind: "file", truncated: false, entries: [itself] },
    });
  });
});

describe("the worker", () => {
  it("serves overlapping calls in any number", async () => {
    const results = await Promise.all(Array.from({ length: 200 }, () => read("in/file")));
    expect(new Set(results)).toEqual(new Set(["0123456789"]));
  });

  it("is reaped when idle and comes back on the next call", async () => {
    const { addon, spawner } = host;
    const brief = createFileWorker({
      machine: { addon, spawner },
      compile: compiledTo(filesPlan),
      idleMs: 30,
    });
    expect(await brief.warm(signal)).toBe(true);
    expect(brief.enforced()).toMatchObject({ capabilities: "none" });
    await sleep(120);
    expect(brief.isRunning()).toBe(false);
    const range = { offset_bytes: 0, max_bytes: 4 };
    const result = await brief.port.read(grantedRead(`${dir}/in/file`), range, signal);
    expect(result.ok).toBe(true);
    await brief.close();
  });

  it("a changed token set is in force at the next call", async () => {
    let plan = filesPlan();
    const { addon, spawner } = host;
    const changing = createFileWorker({
      machine: { addon, spawner },
      compile: compiledTo(() => plan),
      idleMs: 60_000,
    });
    const range = { offset_bytes: 0, max_bytes: 4 };
    const ask = () => changing.port.read(grantedRead(`${dir}/in/file`), range, signal);
    expect((await ask()).ok).toBe(true);
    plan = { ...plan, argv: ["aaos-files", `w*${dir}/out`] };
    changing.invalidate();
    expect(await ask()).toMatchObject({ ok: false, kind: "denied" });
    await changing.close();
  });

  it("that cannot be launched says which step failed", async () => {
    const { addon, spawner } = host;
    const plan = () => ({ ...filesPlan(), cwd: "/nowhere" });
    const broken = createFileWorker({
      machine: { addon, spawner },
      compile: compiledTo(plan),
      idleMs: 1_000,
    });
    const range = { offset_bytes: 0, max_bytes: 4 };
    const result = await broken.port.read(grantedRead(`${dir}/in/file`), range, signal);
    expect(result).toMatchObject({ ok: false, kind: "unavailable" });
    expect(result.ok ? "" : result.message).toContain("directory: ENOENT");
    await broken.close();
  });

  it("an aborted call rejects, and the worker goes on", async () => {
    const aborted = AbortSignal.abort(new Error("stopped"));
    const range = { offset_bytes: 0, max_bytes: 4 };
    const call = port().read(grantedRead(`${dir}/in/file`), range, aborted);
    await expect(call).rejects.toThrow("stopped");
    expect(await read("in/file")).toBe("0123456789");
  });
});
