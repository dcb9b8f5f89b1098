import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { beginApplying, endApplying } from "./applying.js";
import { isSetUp } from "./is-set-up.js";

let root: string;
const at = (path: string) => join(root, path);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "aaos-set-up-"));
  mkdirSync(at("/etc/aaos/ssh/authorized_keys.d"), { recursive: true });
  writeFileSync(at("/etc/passwd"), "root:x:0:0::/root:/bin/sh\naaos:x:1000:1000::/home/aaos:\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const key = (name: string) =>
  writeFileSync(at(`/etc/aaos/ssh/authorized_keys.d/${name}`), "ssh-ed25519 AAAA\n");

test("a key that outlived its account lets nobody in; one of an account that is there does", () => {
  expect(isSetUp(at)).toBe(false);
  key("ada");
  expect(isSetUp(at)).toBe(false);
  key("aaos");
  expect(isSetUp(at)).toBe(true);
});

test("a key of a file that was applied in part does not count; one that was applied whole does", () => {
  key("aaos");
  beginApplying(at);
  expect(isSetUp(at)).toBe(false);
  writeFileSync(at("/etc/aaos/aaos.yaml"), "");
  expect(isSetUp(at)).toBe(true);
  rmSync(at("/etc/aaos/aaos.yaml"));
  endApplying(at);
  expect(isSetUp(at)).toBe(true);
});
