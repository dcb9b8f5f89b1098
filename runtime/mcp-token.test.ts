import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mcpToken } from "./mcp-token.js";

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-token-"));
  file = join(dir, "mcp.token");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("the token is made once and kept for its owner; one that a power cut emptied is made anew", () => {
  const token = mcpToken(file, undefined);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(mcpToken(file, undefined)).toBe(token);
  truncateSync(file);
  const anew = mcpToken(file, undefined);
  expect(anew).toMatch(/^[\w-]{43}$/);
  expect(anew).not.toBe(token);
  expect(readFileSync(file, "utf8")).toBe(`${anew}\n`);
});

test("the operator's credential is the token, and nothing is kept beside it", () => {
  expect(mcpToken(file, "given")).toBe("given");
  expect(() => statSync(file)).toThrow(/ENOENT/);
});
