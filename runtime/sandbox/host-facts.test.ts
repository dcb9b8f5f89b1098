import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thisHost } from "../test/compiled-launch.js";
import { readElf } from "./elf.js";
import { followLinks } from "./follow-links.js";
import { parseLibraryCache } from "./library-cache.js";
import { makeGrantedDir } from "./make-granted-dir.js";

const { signal } = new AbortController();
let dir = "";
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "aaos-facts-")));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const inspect = (path: readonly string[] = ["/usr/bin"]) => thisHost(path);
const nothing = { programs: [], paths: [], scan: [] };
const plain = (name: string) => ({ name, trees: [], exec_trees: [] });

describe("a program", () => {
  it("is its file, the loader, its libraries and the links on the way, all of them there", async () => {
    const facts = await inspect().collect({ ...nothing, programs: [plain("git")] }, signal);
    const git = facts.programs.get("git");
    expect(git?.executable).toBe(await realpath("/usr/bin/git"));
    expect(git?.exec_files.some((file) => file.includes("/ld-linux"))).toBe(true);
    expect(git?.read_files.some((file) => /\/libc\.so\.6$/.test(file))).toBe(true);
    for (const file of [...(git?.exec_files ?? []), ...(git?.read_files ?? [])])
      expect(await realpath(file)).toBe(file);
  });

  it("that is a script is started by its interpreter", async () => {
    await writeFile(`${dir}/tool`, "#!/usr/bin/env -S node --no-warnings\n", { mode: 0o755 });
    await writeFile(`${dir}/other`, "#!/bin/sh -e\n", { mode: 0o755 });
    const wanted = { ...nothing, programs: [plain("tool"), plain("other")] };
    const { programs } = await inspect([dir, "/usr/bin"]).collect(wanted, signal);
    expect(programs.get("tool")).toMatchObject({
      executable: await realpath("/usr/bin/node"),
      prefix_args: ["--no-warnings", `${dir}/tool`],
    });
    expect(programs.get("other")).toMatchObject({
      executable: await realpath("/bin/sh"),
      prefix_args: ["-e", `${dir}/other`],
    });
  });

  it("that is absent, not executable or of no known form is not installed; its copy that is, is", async () => {
    await writeFile(`${dir}/text`, "just text", { mode: 0o755 });
    await writeFile(`${dir}/broken`, "\x7fELF\x02\x01broken", { mode: 0o755 });
    await copyFile("/usr/bin/jq", `${dir}/copy`);
    await copyFile("/usr/bin/jq", `${dir}/plain`);
    await chmod(`${dir}/plain`, 0o644);
    const names = ["text", "broken", "plain", "absent", "../copy", "copy"];
    const wanted = { ...nothing, programs: names.map(plain) };
    const { programs } = await inspect([dir]).collect(wanted, signal);
    expect([...programs.keys()]).toEqual(["copy"]);
  });

  it("brings the trees of its profile that exist, by where it is installed", async () => {
    const trees = ["{prefix}/lib/{name}", "/nowhere"];
    const wanted = { ...nothing, programs: [{ name: "python3", trees, exec_trees: [] }] };
    const { programs } = await inspect().collect(wanted, signal);
    const real = await realpath("/usr/bin/python3");
    expect(programs.get("python3")?.trees).toEqual([real.replace("/bin/", "/lib/")]);
  });
});

describe("a file that lies about itself", () => {
  it("is no ELF file, and never more than read", async () => {
    const header = Buffer.alloc(64);
    header.write("\x7fELF\x02\x01", "latin1");
    header.writeBigUInt64LE(0xffff_ffff_ffffn, 32);
    header.writeUInt16LE(56, 54);
    header.writeUInt16LE(65_535, 56);
    await writeFile(`${dir}/lies`, header);
    expect(await readElf(`${dir}/lies`)).toBeNull();
    expect(parseLibraryCache(Buffer.from("glibc-ld.so.cache1.1"), "x86_64").size).toBe(0);
    const cache = Buffer.alloc(48 + 24, 0xff);
    cache.write("glibc-ld.so.cache1.1", "latin1");
    expect(parseLibraryCache(cache, "x86_64").size).toBe(0);
  });
});

describe("a path", () => {
  it("is told as file, directory, absent or behind a link", async () => {
    await mkdir(`${dir}/d`);
    await writeFile(`${dir}/d/f`, "");
    await symlink("d", `${dir}/link`);
    const paths = [`${dir}/d`, `${dir}/d/f`, `${dir}/link/f`, `${dir}/d/x/y`];
    const facts = await inspect().collect({ ...nothing, paths }, signal);
    expect(paths.map((path) => facts.paths.get(path))).toEqual([
      { resolved: `${dir}/d`, kind: "dir", nearest: null },
      { resolved: `${dir}/d/f`, kind: "file", nearest: null },
      { resolved: `${dir}/d/f`, kind: "file", nearest: null },
      { resolved: `${dir}/d/x/y`, kind: "absent", nearest: `${dir}/d` },
    ]);
  });

  it("in a loop of links ends the walk", async () => {
    await symlink("b", `${dir}/a`);
    await symlink("a", `${dir}/b`);
    expect((await followLinks(`${dir}/a/x`)).links.length).toBeLessThanOrEqual(40);
  });
});

describe("a scan", () => {
  it("finds the outermost protected entries, repositories by their content, and follows no link", async () => {
    for (const sub of [
      "r/.git/hooks",
      "r/a/b/.vscode",
      "bare/objects",
      "bare/refs",
      "node_modules/x",
    ])
      await mkdir(`${dir}/${sub}`, { recursive: true });
    for (const file of [
      "r/.git/config",
      "r/a/.env",
      "r/a/b/CLAUDE.md",
      "bare/HEAD",
      "bare/config",
      "node_modules/x/.npmrc",
      "plain",
    ])
      await writeFile(`${dir}/${file}`, "");
    await symlink("/", `${dir}/r/root`);
    await symlink("plain", `${dir}/.bashrc`);
    const { scans } = await inspect().collect({ ...nothing, scan: [dir] }, signal);
    expect(scans.get(dir)).toEqual({
      protected: [
        `${dir}/bare`,
        `${dir}/r/.git`,
        `${dir}/r/a/.env`,
        `${dir}/r/a/b/.vscode`,
        `${dir}/r/a/b/CLAUDE.md`,
      ],
      git_dirs: [
        { path: `${dir}/bare`, internals: [`${dir}/bare/config`] },
        { path: `${dir}/r/.git`, internals: [`${dir}/r/.git/config`, `${dir}/r/.git/hooks`] },
      ],
      complete: true,
    });
  });
});

describe("the directory of a grant", () => {
  it("is made with its parents, and never through a link", async () => {
    await mkdir(`${dir}/in`);
    await makeGrantedDir(`${dir}/in/a/b`);
    expect((await stat(`${dir}/in/a/b`)).isDirectory()).toBe(true);
    await makeGrantedDir(`${dir}/in/a/b`);
    await symlink("/tmp", `${dir}/in/link`);
    await expect(makeGrantedDir(`${dir}/in/link/x`)).rejects.toThrow(/ENOTDIR|ELOOP/);
    await writeFile(`${dir}/in/file`, "");
    await expect(makeGrantedDir(`${dir}/in/file/x`)).rejects.toThrow(/ENOTDIR/);
  });
});
