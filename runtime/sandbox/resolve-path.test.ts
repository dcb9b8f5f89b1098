import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { resolvePath } from "./resolve-path.js";

let dir: string;
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "aaos-resolve-")));
  await mkdir(join(dir, "real/sub"), { recursive: true });
  await writeFile(join(dir, "real/file"), "x");
  await symlink(join(dir, "real"), join(dir, "link"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("resolves dots in the text before anything is looked up", async () => {
  expect(await resolvePath(`${dir}/real/./sub/../file`)).toBe(join(dir, "real/file"));
  expect(await resolvePath("/../../etc/")).toBe("/etc");
  expect(await resolvePath("/")).toBe("/");
});

it("A22-U16 follows symbolic links of every component", async () => {
  expect(await resolvePath(join(dir, "link/file"))).toBe(join(dir, "real/file"));
  expect(await resolvePath(join(dir, "link/sub"))).toBe(join(dir, "real/sub"));
});

it("keeps what does not exist yet behind the nearest ancestor that does", async () => {
  expect(await resolvePath(join(dir, "link/new/deep/file"))).toBe(join(dir, "real/new/deep/file"));
  expect(await resolvePath("/no-such-root/x")).toBe("/no-such-root/x");
});

it("a loop of links resolves to a path that cannot be opened, and does not hang", async () => {
  await symlink(join(dir, "b"), join(dir, "a"));
  await symlink(join(dir, "a"), join(dir, "b"));
  expect(await resolvePath(join(dir, "a/x"))).toBe(join(dir, "a/x"));
});
