import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Capability } from "../protocol/capability.js";
import { AgentId, TokenId } from "../protocol/ids.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { makeCeiling } from "./ceiling.js";
import { decide } from "./decide.js";
import { coversCapability } from "./narrow.js";
import { fixedPrefix, isProtectedFrom, namedSegments, protectedEntry } from "./protected-paths.js";

describe("a protected entry is found", () => {
  it.each([
    ["/r/.git/hooks/pre-commit", "/r/.git"],
    ["/r/a/b/c/d/e/f/.git/config", "/r/a/b/c/d/e/f/.git"],
    ["/r/.env", "/r/.env"],
    ["/r/.env.local", "/r/.env.local"],
    ["/r/x/.npmrc", "/r/x/.npmrc"],
    ["/r/.cargo/config.toml", "/r/.cargo/config.toml"],
    ["/r/.github/workflows/ci.yml", "/r/.github/workflows"],
    ["/r/CLAUDE.md", "/r/CLAUDE.md"],
    ["/r/.vscode/tasks.json", "/r/.vscode"],
    ["/home/u/.bashrc", "/home/u/.bashrc"],
    ["/home/u/.config/autostart/x.desktop", "/home/u/.config/autostart"],
    ["/home/u/.ssh/authorized_keys", "/home/u/.ssh"],
    ["/mnt/x/var/spool/cron/crontabs/root", "/mnt/x/var/spool/cron"],
    ["/r/node_modules/x/.git/config", "/r/node_modules/x/.git"],
  ])("%s lies in %s", (path, entry) => {
    expect(protectedEntry(path)).toBe(entry);
  });

  it.each([
    "/r/.gitignore",
    "/r/env",
    "/r/x.env",
    "/r/.environment",
    "/r/.github/README.md",
    "/r/.cargo/registry/x",
    "/r/Makefile",
    "/r/claude.md",
    "/r/node_modules/x/.npmrc",
    "/r/node_modules/x/.github/workflows/ci.yml",
    "/r/a.git",
  ])("%s is an ordinary file", (path) => {
    expect(protectedEntry(path)).toBeUndefined();
  });
});

describe("a grant names a protected entry", () => {
  it("with its fixed part only", () => {
    expect(isProtectedFrom("/r/*", "/r/.env")).toBe(true);
    expect(isProtectedFrom("/r/**/.env", "/r/x/.env")).toBe(true);
    expect(isProtectedFrom("/r/.env", "/r/.env")).toBe(false);
    expect(isProtectedFrom("/r/.git/*", "/r/.git/hooks/x")).toBe(false);
    expect(isProtectedFrom("/r/.git/*", "/r/.git/x/.env")).toBe(true);
  });

  it("its fixed part ends before the first star, an escaped star being none", () => {
    expect([namedSegments("/a/b/*"), fixedPrefix("/a/b/*")]).toEqual([2, "/a/b"]);
    expect([namedSegments("/a/x*/b"), fixedPrefix("/a/x*/b")]).toEqual([1, "/a"]);
    expect([namedSegments("/a/\\*"), fixedPrefix("/a/\\*")]).toEqual([2, "/a/*"]);
    expect([namedSegments("/*"), fixedPrefix("/*")]).toEqual([0, "/"]);
  });
});

describe("the check above the kernel", () => {
  const ceiling = makeCeiling(
    PolicyFile.parse({ read: { allow: ["/r"] }, write: { allow: ["/r"] } }),
    {
      workspace: null,
      never: [],
    },
  );
  const writing = (glob: string, path: string) => {
    const token = {
      id: TokenId.parse("01HZZZZZZZZZZZZZZZZZZZ0001"),
      agent_id: AgentId.parse("01HZZZZZZZZZZZZZZZZZZZZZZZ"),
      parent_id: null,
      capability: { kind: "file_write" as const, glob },
      max_invocations: null,
      rate_limit: null,
      issued_at: 0,
      expires_at: null,
    };
    const held = [{ token, uses: [], revoked: false }];
    return decide<"file_write">({ kind: "file_write", path }, held, ceiling, 1);
  };

  it("refuses to write one under a wide grant and says which grant would do; that grant does", () => {
    const refused = writing("/r/*", "/r/a/.env");
    expect(refused).toMatchObject({
      ok: false,
      denial: { layer: "token", capability: "file_write: /r/a/.env" },
    });
    expect(!refused.ok && refused.denial.message).toContain("a token must name it");
    expect(writing("/r/a/.env", "/r/a/.env").ok).toBe(true);
    expect(writing("/r/*", "/r/a/plain").ok).toBe(true);
  });

  it("lets no narrower token spell out what the wider one does not take", () => {
    const write = (glob: string): Capability => ({ kind: "file_write", glob });
    expect(coversCapability(write("/r/*"), write("/r/.env"))).toBe(false);
    expect(coversCapability(write("/r/*"), write("/r/.git/*"))).toBe(false);
    expect(coversCapability(write("/r/.git/*"), write("/r/.git/hooks/*"))).toBe(true);
    expect(coversCapability(write("/r/*"), write("/r/a/*"))).toBe(true);
    const read = (glob: string): Capability => ({ kind: "file_read", glob });
    expect(coversCapability(read("/r/*"), read("/r/.env"))).toBe(true);
  });

  it("nothing below a protected entry is ordinary, whatever its name", () => {
    const name = fc.constantFrom("a", ".git", ".env", ".vscode", "node_modules", "CLAUDE.md");
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 6 }),
        fc.constantFrom("x", ".env"),
        (parts, more) => {
          const path = `/${parts.join("/")}`;
          const entry = protectedEntry(path);
          if (entry !== undefined) expect(protectedEntry(`${path}/${more}`)).toBe(entry);
        },
      ),
    );
  });
});
