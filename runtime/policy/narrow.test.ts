import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CapabilitySource } from "../protocol/capability.js";
import { AgentId, TokenId } from "../protocol/ids.js";
import { PolicyFile } from "../protocol/policy-file.js";
import type { Token } from "../protocol/token.js";
import { arbitraryAccess, arbitraryCapability } from "../test/arbitrary-capability.js";
import { makeCeiling } from "./ceiling.js";
import { decide } from "./decide.js";
import { parseGrant } from "./grammar.js";
import { coversCapability, narrowGrant } from "./narrow.js";

const NOW = 1_000_000;

function token(n: number, source: CapabilitySource, more: Partial<Token> = {}): Token {
  const parsed = parseGrant(source);
  if (!parsed.ok) throw new Error(parsed.problem);
  return {
    id: TokenId.parse(`01HZZZZZZZZZZZZZZZZZZZ${String(n).padStart(4, "0")}`),
    agent_id: AgentId.parse("01HZZZZZZZZZZZZZZZZZZZZZZZ"),
    parent_id: null,
    capability: parsed.grant.capability,
    max_invocations: null,
    rate_limit: null,
    issued_at: 0,
    expires_at: null,
    ...more,
  };
}

function narrow(
  parents: readonly Token[],
  source: CapabilitySource,
): ReturnType<typeof narrowGrant> {
  const parsed = parseGrant(source);
  if (!parsed.ok) throw new Error(parsed.problem);
  return narrowGrant(parents, parsed.grant, NOW);
}

describe("a child's capability", () => {
  it.each<readonly [string, string, boolean]>([
    ["file_read: /data/*", "file_read: /data/a/*.md", true],
    ["file_read: /data/a/*", "file_read: /data/*", false],
    ["file_read: /data/*", "file_write: /data/x", false],
    ["exec: git", "exec: git status", true],
    ["exec: git status|diff", "exec: git diff", true],
    ["exec: git status", "exec: git", false],
    ["network: *", "network: a.org", true],
    ["network: *", "web_search", true],
    ["web_search", "network: a.org", false],
    ["network: *", "network: 127.0.0.1", false],
    ["network: a.org", "network: a.org:443, a.org:80", true],
    ["network: a.org:443", "network: a.org", false],
    ["tool: *", "tool: mcp.s.x", true],
    ["tool: mcp.s.*", "tool: mcp.s.x", true],
    ["tool: mcp.s.*", "tool: mcp.t.x", false],
    ["tool: mcp.s.x", "tool: mcp.s.*", false],
    ["spawn_child: [a, b]", "spawn_child: [b]", true],
    ["spawn_child: [a]", "spawn_child: [*]", false],
    ["message_send: [*]", "message_send: [a]", true],
    ["cargo_run: /src", "cargo_run: /src/p", true],
    ["cargo_run: /src/p", "cargo_run: /src", false],
    ["git_commit: /src", "cargo_run: /src", false],
  ])("of '%s' may be '%s': %s", (parent, child, expected) => {
    expect(narrow([token(1, parent)], child).ok).toBe(expected);
  });

  it("is never cut from an expired token", () => {
    expect(narrow([token(1, "file_read: /*", { expires_at: NOW })], "file_read: /a").ok).toBe(
      false,
    );
    expect(narrow([token(1, "file_read: /*", { expires_at: NOW + 1 })], "file_read: /a").ok).toBe(
      true,
    );
  });

  it("says what was missing", () => {
    expect(narrow([], "exec: git")).toEqual({
      ok: false,
      problem: "no token of the parent covers 'exec: git'",
    });
  });
});

describe("A22-27 a child's token keeps its parent's constraints", () => {
  const parent = token(1, "file_read: /data/*", {
    max_invocations: 5,
    rate_limit: { count: 10, per_ms: 60_000 },
    expires_at: NOW + 500,
  });

  it("where it asks for none or for looser ones", () => {
    const inherited = {
      max_invocations: 5,
      rate_limit: { count: 10, per_ms: 60_000 },
      expires_at: NOW + 500,
    };
    expect(narrow([parent], "file_read: /data/x")).toEqual({
      ok: true,
      parent: parent.id,
      constraints: inherited,
    });
    expect(
      narrow([parent], {
        file_read: "/data/x",
        max_invocations: 9,
        rate_limit: "99/min",
        expires_in: "1h",
      }),
    ).toMatchObject({ constraints: inherited });
  });

  it("and may only tighten them", () => {
    expect(
      narrow([parent], {
        file_read: "/data/x",
        max_invocations: 2,
        rate_limit: "3/h",
        expires_in: "100ms",
      }),
    ).toMatchObject({
      constraints: {
        max_invocations: 2,
        rate_limit: { count: 3, per_ms: 3_600_000 },
        expires_at: NOW + 100,
      },
    });
  });
});

it("the narrowest covering token is the parent, among equals the freest, whatever their order", () => {
  const tokens = [
    token(1, "file_read: /*"),
    token(2, "file_read: /data/*", { max_invocations: 1 }),
    token(3, "file_read: /data/*"),
    token(4, "file_read: /src/*"),
  ];
  for (const order of [tokens, [...tokens].reverse()]) {
    expect(narrow(order, "file_read: /data/x")).toMatchObject({ parent: tokens[2]?.id });
  }
});

describe("covering", () => {
  const OPEN = makeCeiling(
    PolicyFile.parse({
      read: { allow: ["/"] },
      write: { allow: ["/"] },
      network: { allow: ["*", "0.0.0.0/0", "::/0", "localhost"] },
      exec: { allow: ["git", "rg", "cargo"] },
    }),
    { workspace: null, never: [] },
  );
  const grants = (capability: Token["capability"], access: Parameters<typeof decide>[0]): boolean =>
    decide(
      access,
      [{ token: { ...token(1, "web_search"), capability }, uses: [], revoked: false }],
      OPEN,
      NOW,
    ).ok;

  it("narrower is never wider: what the child's token grants, the parent's grants", () => {
    fc.assert(
      fc.property(
        arbitraryCapability,
        arbitraryCapability,
        arbitraryAccess,
        (parent, child, access) => {
          if (coversCapability(parent, child) && grants(child, access))
            expect(grants(parent, access)).toBe(true);
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it("is reflexive and transitive", () => {
    fc.assert(
      fc.property(arbitraryCapability, arbitraryCapability, arbitraryCapability, (a, b, c) => {
        expect(coversCapability(a, a)).toBe(true);
        if (coversCapability(a, b) && coversCapability(b, c))
          expect(coversCapability(a, c)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});
