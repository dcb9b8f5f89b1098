import { execFileSync } from "node:child_process";
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { granted } from "../test/tool-context.js";
import { daemonFiles } from "./daemon-files.js";

const signal = new AbortController().signal;
const files = daemonFiles();
let dir: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "aaos-files-")));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const toRead = (path: string) => granted({ kind: "file_read", path });
const toWrite = (path: string) => granted({ kind: "file_write", path });
const whole = { offset_bytes: 0, max_bytes: 1_048_576 };
const replace = (path: string, text: string) =>
  files.write(toWrite(path), { bytes: Buffer.from(text), append: false }, signal);
const append = (path: string, text: string) =>
  files.write(toWrite(path), { bytes: Buffer.from(text), append: true }, signal);

describe("reading", () => {
  it("gives a range and the size of the whole file", async () => {
    await writeFile(join(dir, "a"), "0123456789");
    const range = { offset_bytes: 3, max_bytes: 4 };
    const read = await files.read(toRead(join(dir, "a")), range, signal);
    expect(read).toEqual({ ok: true, value: { bytes: Buffer.from("3456"), size_bytes: 10 } });
  });

  it("says not_found for an absent file and failed for a directory", async () => {
    expect(await files.read(toRead(join(dir, "none")), whole, signal)).toMatchObject({
      kind: "not_found",
    });
    expect(await files.read(toRead(join(dir, "none/x")), whole, signal)).toMatchObject({
      kind: "not_found",
    });
    expect(await files.read(toRead(dir), whole, signal)).toMatchObject({ kind: "failed" });
  });

  it("does not wait for a FIFO that nobody writes to", async () => {
    execFileSync("mkfifo", [join(dir, "fifo")]);
    const read = await files.read(toRead(join(dir, "fifo")), whole, signal);
    expect(read).toMatchObject({ kind: "failed" });
  });

  it("A22-32 refuses a path whose directory became a symbolic link after the check", async () => {
    await mkdir(join(dir, "granted"));
    await mkdir(join(dir, "secret"));
    await writeFile(join(dir, "granted/f"), "public");
    await writeFile(join(dir, "secret/f"), "secret");
    const proof = toRead(join(dir, "granted/f"));
    expect(await files.read(proof, whole, signal)).toMatchObject({ ok: true });
    await rename(join(dir, "granted"), join(dir, "old"));
    await symlink(join(dir, "secret"), join(dir, "granted"));
    const read = await files.read(proof, whole, signal);
    expect(read).toMatchObject({ ok: false, kind: "denied", denial: { layer: "kernel" } });
  });

  it("refuses a file that became a symbolic link after the check", async () => {
    await writeFile(join(dir, "secret"), "secret");
    await symlink(join(dir, "secret"), join(dir, "f"));
    const read = await files.read(toRead(join(dir, "f")), whole, signal);
    expect(read).toMatchObject({ kind: "denied", denial: { layer: "kernel" } });
  });
});

describe("listing", () => {
  it("gives kinds and sizes, sorted by name, and says when there are more", async () => {
    await writeFile(join(dir, "b"), "12345");
    await mkdir(join(dir, "a"));
    await symlink("/etc/hostname", join(dir, "c"));
    const listed = await files.list(toRead(dir), 10, signal);
    expect(listed).toMatchObject({
      ok: true,
      value: {
        kind: "dir",
        truncated: false,
        entries: [
          { name: "a", kind: "dir" },
          { name: "b", kind: "file", size_bytes: 5 },
          { name: "c", kind: "symlink" },
        ],
      },
    });
    const two = await files.list(toRead(dir), 2, signal);
    expect(two).toMatchObject({
      value: { truncated: true, entries: [{ name: "a" }, { name: "b" }] },
    });
  });

  it("A22-29 refuses a directory that became a symbolic link after the check", async () => {
    await mkdir(join(dir, "secret"));
    await symlink(join(dir, "secret"), join(dir, "granted"));
    const listed = await files.list(toRead(join(dir, "granted")), 10, signal);
    expect(listed).toMatchObject({ kind: "denied", denial: { layer: "kernel" } });
    expect(await files.list(toRead(join(dir, "secret")), 10, signal)).toMatchObject({ ok: true });
  });
});

describe("writing", () => {
  it("replaces in one step: whoever has the old file open keeps reading the old content", async () => {
    const path = join(dir, "f");
    await writeFile(path, "old");
    await link(path, join(dir, "old"));
    expect(await replace(path, "new")).toEqual({ ok: true, value: { bytes_written: 3 } });
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readFile(join(dir, "old"), "utf8")).toBe("old");
    expect((await readdir(dir)).sort()).toEqual(["f", "old"]);
  });

  it("keeps the permission bits of a file that is replaced", async () => {
    const path = join(dir, "run.sh");
    await writeFile(path, "old");
    await chmod(path, 0o750);
    await replace(path, "new");
    expect((await stat(path)).mode & 0o777).toBe(0o750);
  });

  it("appends, and makes the file and its missing directories", async () => {
    const path = join(dir, "x/y/z.txt");
    expect(await append(path, "one")).toMatchObject({ ok: true });
    expect(await append(path, "two")).toMatchObject({ ok: true });
    expect(await readFile(path, "utf8")).toBe("onetwo");
    expect(await replace(join(dir, "p/q.txt"), "q")).toMatchObject({ ok: true });
    expect(await readFile(join(dir, "p/q.txt"), "utf8")).toBe("q");
  });

  it("files made in a setgid directory belong to its group and are writable for it", async () => {
    await chmod(dir, 0o2775);
    await replace(join(dir, "sub/f"), "x");
    expect((await stat(join(dir, "sub"))).mode & 0o2000).toBe(0o2000);
    expect((await stat(join(dir, "sub/f"))).gid).toBe((await stat(dir)).gid);
    expect((await stat(join(dir, "sub/f"))).mode & 0o777).toBe(0o664 & ~process.umask());
  });

  it("A22-32 does not make directories or files through a link that appeared after the check", async () => {
    await mkdir(join(dir, "secret"));
    await symlink(join(dir, "secret"), join(dir, "granted"));
    for (const path of [join(dir, "granted/f"), join(dir, "granted/new/f")]) {
      expect(await replace(path, "x")).toMatchObject({ ok: false, kind: "denied" });
      expect(await append(path, "x")).toMatchObject({ ok: false, kind: "denied" });
    }
    expect(await readdir(join(dir, "secret"))).toEqual([]);
  });

  it("never writes through a link at the last place", async () => {
    await writeFile(join(dir, "secret"), "secret");
    await symlink(join(dir, "secret"), join(dir, "f"));
    expect(await append(join(dir, "f"), "x")).toMatchObject({ ok: false });
    expect(await replace(join(dir, "f"), "x")).toMatchObject({ ok: false });
    expect(await readFile(join(dir, "secret"), "utf8")).toBe("secret");
  });

  it("refuses a directory and a device as the target", async () => {
    await mkdir(join(dir, "d"));
    expect(await replace(join(dir, "d"), "x")).toMatchObject({ kind: "failed" });
    expect(await append(join(dir, "d"), "x")).toMatchObject({ kind: "failed" });
    execFileSync("mkfifo", [join(dir, "fifo")]);
    expect(await replace(join(dir, "fifo"), "x")).toMatchObject({ kind: "failed" });
    expect(await append(join(dir, "fifo"), "x")).toMatchObject({ kind: "failed" });
  });

  it("a file where a directory is needed is told apart from one that is missing", async () => {
    await writeFile(join(dir, "f"), "x");
    expect(await replace(join(dir, "f/g"), "x")).toMatchObject({ ok: false, kind: "not_found" });
  });

  it("a full disk is told as such and leaves the old file whole", async ({ skip }) => {
    const full = await mountTiny(dir);
    if (full === undefined) return skip("this machine lets no test mount a volume");
    try {
      expect(await replace(join(full, "f"), "small")).toMatchObject({ ok: true });
      const written = await replace(join(full, "f"), "x".repeat(1_048_576));
      expect(written).toMatchObject({ ok: false, kind: "failed" });
      expect(written).toHaveProperty("message", expect.stringContaining("disk full"));
      expect(await readFile(join(full, "f"), "utf8")).toBe("small");
      expect(await readdir(full)).toEqual(["f"]);
    } finally {
      execFileSync("umount", [full]);
    }
  });

  it("nothing is written once the call was stopped", async () => {
    const stopped = AbortSignal.abort();
    const content = { bytes: Buffer.from("x"), append: false };
    const written = await files.write(toWrite(join(dir, "f")), content, stopped);
    expect(written).toMatchObject({ ok: false });
    expect(await readdir(dir)).toEqual([]);
  });
});

/** A volume of 256 KiB, where this machine lets the test mount one. */
async function mountTiny(parent: string): Promise<string | undefined> {
  const at = join(parent, "tiny");
  await mkdir(at);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", at], { stdio: "ignore" });
    return at;
  } catch {
    return undefined;
  }
}
