import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileWhole } from "./write-file.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-write-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a file that has room for a part alone does not get its name, and the old one stays", () => {
  const file = join(dir, "policy.yaml");
  writeFileWhole(file, "old\n", { mode: 0o644 });
  const from = new URL("./write-file.js", import.meta.url).href;
  const code = `import { writeFileWhole } from ${JSON.stringify(from)};
    writeFileWhole(${JSON.stringify(file)}, "x".repeat(5000), { mode: 0o644 });`;
  // As on a full disk: the first write takes a part of it, the next one none.
  const limited = ["-c", 'ulimit -f 1; exec "$@"', "sh", process.execPath];
  const write = () =>
    execFileSync("/bin/sh", [...limited, "--input-type=module", "-e", code], { stdio: "pipe" });
  expect(write).toThrow(/EFBIG/);
  expect(readFileSync(file, "utf8")).toBe("old\n");
  expect(readdirSync(dir)).toEqual(["policy.yaml"]);
});
