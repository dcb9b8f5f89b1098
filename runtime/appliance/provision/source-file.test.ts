import { execFileSync } from "node:child_process";
import { linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSourceFile, wipeSourceFile } from "./source-file.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-source-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it("a file is read whole, also one of the kernel that says it has no bytes; none is none", () => {
  const file = join(dir, "aaos.yaml");
  writeFileSync(file, "hostname: bücher\n");
  expect(readSourceFile(file)).toBe("hostname: bücher\n");
  expect(readSourceFile("/proc/self/status")).toMatch(/^Name:[\s\S]*voluntary_ctxt_switches/);
  expect(readSourceFile(join(dir, "other"))).toBeUndefined();
  expect(readSourceFile(join(file, "below"))).toBeUndefined();
});

it("what is no regular file, and what is too large, is not read", () => {
  const [pipe, link, large] = ["pipe", "link", "large"].map((name) => join(dir, name)) as [
    ...[string, string, string],
  ];
  execFileSync("mkfifo", [pipe]);
  symlinkSync("/etc/passwd", link);
  writeFileSync(large, Buffer.alloc(1_048_577, "#"));
  expect(() => readSourceFile(pipe)).toThrow("it is no regular file");
  expect(() => readSourceFile(link)).toThrow("it is no regular file");
  expect(() => readSourceFile("/dev/zero")).toThrow("it is no regular file");
  expect(() => readSourceFile(large)).toThrow("it is larger than 1024 KiB");
});

it("wiped, the old bytes are gone, too, and not only their name", () => {
  const [file, before] = [join(dir, "aaos.yaml"), join(dir, "before")];
  writeFileSync(file, "key: secret\n");
  linkSync(file, before);
  expect(wipeSourceFile(file, "clean\n")).toBeUndefined();
  expect(readFileSync(file, "utf8")).toBe("clean\n");
  expect(readFileSync(before)).toEqual(Buffer.alloc(12));
  expect(wipeSourceFile(join(dir, "other"), "clean\n")).toMatch(/secrets may still be in .*other/);
});
