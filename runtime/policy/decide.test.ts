import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Access, AccessKind, AccessOf } from "../protocol/access.js";
import type { CapabilitySource } from "../protocol/capability.js";
import { AgentId, TokenId } from "../protocol/ids.js";
import { PolicyFile } from "../protocol/policy-file.js";
import type { Token } from "../protocol/token.js";
import { arbitraryAccess, arbitraryCapability } from "../test/arbitrary-capability.js";
import { type Ceiling, makeCeiling } from "./ceiling.js";
import { type Decision, decide, decideAddress, decideTool, type HeldToken } from "./decide.js";
import { exactCapability } from "./exact-capability.js";
import { parseGrant } from "./grammar.js";
import { coversCapability } from "./narrow.js";

const NOW = 1_800_000_000_000;
const AGENT = AgentId.parse("01HZZZZZZZZZZZZZZZZZZZZZZZ");

function tokenId(n: number): TokenId {
  return TokenId.parse(`01HZZZZZZZZZZZZZZZZZZZ${String(n).padStart(4, "0")}`);
}

let count = 0;
function token(source: CapabilitySource, more: Partial<Token> = {}): Token {
  const parsed = parseGrant(source);
  if (!parsed.ok) throw new Error(parsed.problem);
  const { capability, constraints } = parsed.grant;
  return {
    id: tokenId(++count),
    agent_id: AGENT,
    parent_id: null,
    capability,
    max_invocations: constraints.max_invocations ?? null,
    rate_limit: constraints.rate_limit ?? null,
    issued_at: NOW - 1_000,
    expires_at: constraints.expires_in_ms === undefined ? null : NOW + constraints.expires_in_ms,
    ...more,
  };
}

function held(source: CapabilitySource, more: Partial<HeldToken> = {}): HeldToken {
  return { token: token(source), uses: [], revoked: false, ...more };
}

/** Everything a policy can open. */
const OPEN = makeCeiling(
  PolicyFile.parse({
    read: { allow: ["/"] },
    write: { allow: ["/"] },
    network: { allow: ["*", "0.0.0.0/0", "::/0", "localhost"] },
    exec: { allow: ["git", "rg", "cargo"] },
  }),
  { workspace: null, never: [] },
);
const DEFAULT = makeCeiling(PolicyFile.parse({}), {
  workspace: "/var/lib/aaos/workspace/R1",
  never: ["/srv/aaos/creds"],
});

function ask<K extends AccessKind>(
  access: AccessOf<K>,
  tokens: readonly HeldToken[],
  ceiling: Ceiling = OPEN,
): Decision<K> {
  return decide<K>(access, tokens, ceiling, NOW);
}

const readX: AccessOf<"file_read"> = { kind: "file_read", path: "/data/x" };

describe("a token grants", () => {
  const table: readonly (readonly [CapabilitySource, Access, Access])[] = [
    ["file_read: /data/*", readX, { kind: "file_read", path: "/dat" }],
    ["file_read: /data/*", readX, { kind: "file_write", path: "/data/x" }],
    [
      "file_write: /out/a",
      { kind: "file_write", path: "/out/a" },
      { kind: "file_read", path: "/out/a" },
    ],
    [
      "exec: git status|diff",
      { kind: "exec", program: "git", args: ["status"] },
      { kind: "exec", program: "git", args: ["push"] },
    ],
    [
      "exec: git status|diff",
      { kind: "exec", program: "git", args: ["diff", "-C", "x"] },
      { kind: "exec", program: "git", args: ["-C", "status", "push"] },
    ],
    [
      "exec: git status",
      { kind: "exec", program: "git", args: ["status"] },
      { kind: "exec", program: "git", args: [] },
    ],
    [
      "exec: rg",
      { kind: "exec", program: "rg", args: ["-n", "x"] },
      { kind: "exec", program: "/tmp/rg", args: [] },
    ],
    [
      "network: a.org:443",
      { kind: "network", host: "A.org.", port: 443 },
      { kind: "network", host: "a.org", port: 80 },
    ],
    [
      "network: *",
      { kind: "network", host: "b.org", port: 80 },
      { kind: "network", host: "0x7f000001", port: 80 },
    ],
    [
      "network: 127.0.0.1",
      { kind: "network", host: "2130706433", port: 80 },
      { kind: "network", host: "127.0.0.2", port: 80 },
    ],
    [
      "web_search",
      { kind: "network", host: "b.org", port: 80 },
      { kind: "network", host: "localhost", port: 80 },
    ],
    ["tool: mcp.s.*", { kind: "tool", name: "mcp.s.x" }, { kind: "tool", name: "mcp.sx.y" }],
    ["spawn_child: [a, b]", { kind: "spawn_child", role: "b" }, { kind: "spawn_child", role: "c" }],
    ["spawn_child: [*]", { kind: "spawn_child", role: "b" }, { kind: "message_send", agent: "b" }],
    [
      "message_send: [a]",
      { kind: "message_send", agent: "a" },
      { kind: "message_send", agent: "b" },
    ],
    [
      "cargo_run: /src/p",
      { kind: "cargo_run", dir: "/src/p/sub" },
      { kind: "cargo_run", dir: "/src/p2" },
    ],
    [
      "git_commit: /src/p",
      { kind: "git_commit", dir: "/src/p" },
      { kind: "cargo_run", dir: "/src/p" },
    ],
  ];
  it.each(table)("%j grants %j and not %j", (source, granted, denied) => {
    const one = held(source);
    expect(ask(granted, [one])).toMatchObject({ ok: true, charge: [one.token.id] });
    expect(ask(denied, [one])).toMatchObject({ ok: false, denial: { layer: "token" } });
  });

  it("nothing where there is none: an agent starts with no authority", () => {
    expect(ask(readX, [])).toEqual({
      ok: false,
      denial: {
        layer: "token",
        message: "no token grants 'file_read: /data/x'",
        capability: "file_read: /data/x",
      },
    });
  });

  it("no path that is not resolved", () => {
    for (const path of ["/data/../etc/passwd", "data/x", "/data//x", "/data/x\0", "/data/./x"]) {
      expect(ask({ kind: "file_read", path }, [held("file_read: /**")])).toMatchObject({
        ok: false,
      });
    }
  });

  it("a proof that cannot be changed afterwards, of the host that was judged", () => {
    const args = ["status"];
    const verdict = ask<"exec">({ kind: "exec", program: "git", args }, [held("exec: git status")]);
    if (!verdict.ok) throw new Error("denied");
    args[0] = "push";
    expect(verdict.granted.args).toEqual(["status"]);
    expect(Object.isFrozen(verdict.granted)).toBe(true);
    const dialled = ask<"network">({ kind: "network", host: "A.ORG.", port: 1 }, [
      held("network: a.org"),
    ]);
    expect(dialled).toMatchObject({ ok: true, granted: { host: "a.org" } });
  });
});

describe("a token's limits", () => {
  const limited = {
    file_read: "/data/*",
    max_invocations: 2,
    rate_limit: "1/min",
    expires_in: "1h",
  };
  const verdict = (more: Partial<HeldToken>, now = NOW): string => {
    const decision = decide<"file_read">(readX, [held(limited, more)], OPEN, now);
    return decision.ok ? "granted" : decision.denial.message;
  };

  it("A22-10 max_invocations is enforced", () => {
    expect(verdict({ uses: [NOW - 90_000] })).toBe("granted");
    expect(verdict({ uses: [NOW - 90_000, NOW - 80_000] })).toContain("exhausted");
  });

  it("A24-19 rate_limit and expires_in are enforced", () => {
    expect(verdict({ uses: [NOW - 59_999] })).toContain("rate-limited");
    expect(verdict({ uses: [NOW - 60_000] })).toBe("granted");
    expect(verdict({}, NOW + 3_599_999)).toBe("granted");
    expect(verdict({}, NOW + 3_600_000)).toContain("expired");
  });

  it("A22-11 a revoked token grants nothing", () => {
    expect(verdict({ revoked: true })).toContain("revoked");
    expect(verdict({ revoked: false })).toBe("granted");
  });

  it("A24-19 what it was cut from must be alive and have room too", () => {
    const parent = held({ file_read: "/data/*", max_invocations: 1 });
    expect(verdict({ ancestors: [parent] })).toBe("granted");
    expect(verdict({ ancestors: [{ ...parent, uses: [NOW] }] })).toContain("exhausted");
    expect(verdict({ ancestors: [{ ...parent, revoked: true }] })).toContain("revoked");
  });

  it("the denial tells the obstacle that is nearest to going away", () => {
    const rate = held({ file_read: "/data/*", rate_limit: "1/min" }, { uses: [NOW] });
    const used = held({ file_read: "/data/*", max_invocations: 1 }, { uses: [NOW] });
    const gone = held("file_read: /data/*", { revoked: true });
    const told = (tokens: readonly HeldToken[]): string => {
      const verdict = ask(readX, tokens);
      return verdict.ok ? "granted" : verdict.denial.message;
    };
    expect(told([gone, used, rate])).toContain("rate-limited");
    expect(told([gone, used])).toContain("exhausted");
    expect(told([gone])).toContain("revoked");
    expect(ask(readX, [gone])).toMatchObject({ denial: { capability: "file_read: /data/x" } });
  });

  it("the narrowest token that serves is charged, a wider one when it is used up", () => {
    const wide = held("file_read: /data/*");
    const narrow = held({ file_read: "/data/x", max_invocations: 1 });
    expect(ask(readX, [wide, narrow])).toMatchObject({ charge: [narrow.token.id] });
    expect(ask(readX, [{ ...narrow, uses: [NOW] }, wide])).toMatchObject({
      charge: [wide.token.id],
    });
  });
});

describe("the ceiling comes after the tokens", () => {
  it("A24-14 a token wider than policy.yaml is cut at the access", () => {
    const all = [
      held("file_read: /*"),
      held("file_write: /*"),
      held("exec: bash"),
      held("exec: git"),
    ];
    expect(ask({ kind: "file_read", path: "/data/x" }, all, DEFAULT)).toMatchObject({ ok: true });
    expect(ask({ kind: "file_read", path: "/home/x" }, all, DEFAULT)).toMatchObject({
      denial: { layer: "policy", capability: "file_read: /home/x" },
    });
    expect(ask({ kind: "exec", program: "bash", args: [] }, all, DEFAULT)).toMatchObject({
      denial: { layer: "policy" },
    });
    expect(ask({ kind: "exec", program: "git", args: [] }, all, DEFAULT)).toMatchObject({
      ok: true,
    });
  });

  it("where no grant can ever allow it, none is offered", () => {
    for (const path of [
      "/etc/aaos/policy.yaml",
      "/srv/aaos/creds/deepseek",
      "/proc/self/environ",
      "/var/lib/aaos/aaos.db",
    ]) {
      for (const tokens of [[], [held("file_read: /*")]]) {
        const verdict = ask({ kind: "file_read", path }, tokens, DEFAULT);
        expect(verdict.ok).toBe(false);
        expect(verdict).not.toHaveProperty("denial.capability");
      }
    }
  });
});

describe("a tool may be called", () => {
  it("by its token, or by a capability that implies it", () => {
    expect(decideTool("file_read", ["file_read"], [held("file_read: /data/*")], NOW)).toMatchObject(
      { ok: true, charge: [] },
    );
    expect(
      decideTool("file_read", ["file_read"], [held("file_write: /data/*")], NOW),
    ).toMatchObject({
      denial: { layer: "token", capability: "tool: file_read" },
    });
    const any = held("tool: *");
    expect(decideTool("echo", [], [any], NOW)).toMatchObject({ ok: true, charge: [any.token.id] });
    expect(decideTool("echo", [], [], NOW).ok).toBe(false);
  });

  it("not by an implied one where the token that names it is used up, expired or revoked", () => {
    const implied = held("network: a.org");
    const named = held({ tool: "web_fetch", max_invocations: 1 });
    expect(decideTool("web_fetch", ["network"], [implied, named], NOW).ok).toBe(true);
    expect(decideTool("web_fetch", ["network"], [implied, { ...named, uses: [NOW] }], NOW).ok).toBe(
      false,
    );
    expect(
      decideTool("web_fetch", ["network"], [implied, { ...named, revoked: true }], NOW).ok,
    ).toBe(false);
  });

  it("not by an implied one that is dead", () => {
    expect(
      decideTool("grep", ["file_read"], [held("file_read: /data/*", { revoked: true })], NOW).ok,
    ).toBe(false);
  });
});

describe("the address that a host resolved to", () => {
  const inside = makeCeiling(
    PolicyFile.parse({
      network: { allow: ["*", "10.0.0.0/8", "localhost:8080"], deny: ["9.9.9.9"] },
    }),
    { workspace: null, never: [] },
  );
  const denial = (
    host: string,
    address: string,
    tokens: readonly HeldToken[],
    port = 443,
  ): boolean => decideAddress({ host, port, address }, tokens, inside, NOW) !== undefined;

  it("a public one may be dialled unless it is denied", () => {
    expect(denial("a.org", "8.8.8.8", [held("network: *")])).toBe(false);
    expect(denial("a.org", "9.9.9.9", [held("network: *")])).toBe(true);
    expect(denial("a.org", "no address", [held("network: *")])).toBe(true);
  });

  it("one inside needs to be named by the policy and by the token", () => {
    expect(denial("a.org", "10.1.2.3", [held("network: *")])).toBe(true);
    expect(denial("a.org", "10.1.2.3", [held("network: *.org")])).toBe(true);
    expect(denial("a.org", "10.1.2.3", [held("network: a.org")])).toBe(false);
    expect(denial("a.org", "192.168.0.1", [held("network: a.org")])).toBe(true);
    expect(denial("localhost", "127.0.0.1", [held("network: localhost:8080")], 8080)).toBe(false);
    expect(denial("localhost", "127.0.0.1", [held("network: localhost:8080")], 8081)).toBe(true);
  });

  it("a token that was cut names no more than what it was cut from", () => {
    const child = held("network: a.org", { ancestors: [held("network: *")] });
    expect(denial("a.org", "10.1.2.3", [child])).toBe(true);
    expect(denial("a.org", "10.1.2.3", [{ ...child, ancestors: [held("network: a.org")] }])).toBe(
      false,
    );
  });
});

const tokenSets = fc
  .array(
    fc.record({
      capability: arbitraryCapability,
      max: fc.constantFrom(null, 1, 2),
      used: fc.nat(2),
      revoked: fc.boolean(),
      expired: fc.boolean(),
    }),
    { maxLength: 6 },
  )
  .map((list) =>
    list.map(
      ({ capability, max, used, revoked, expired }, i): HeldToken => ({
        token: {
          id: tokenId(i),
          agent_id: AGENT,
          parent_id: null,
          capability,
          max_invocations: max,
          rate_limit: null,
          issued_at: 0,
          expires_at: expired ? NOW : null,
        },
        uses: Array.from({ length: used }, () => NOW - 5),
        revoked,
      }),
    ),
  );

describe("whatever the tokens", () => {
  it("what is granted is covered by one live token, which is the one charged", () => {
    fc.assert(
      fc.property(tokenSets, arbitraryAccess, (tokens, access) => {
        const verdict = ask(access, tokens);
        if (!verdict.ok) return;
        const charged = tokens.find((one) => one.token.id === verdict.charge[0]);
        if (charged === undefined) throw new Error("charged nothing");
        const exact = exactCapability(access);
        const isSearch =
          charged.token.capability.kind === "web_search" && access.kind === "network";
        expect(isSearch || coversCapability(charged.token.capability, exact)).toBe(true);
        expect(charged.revoked || charged.token.expires_at !== null).toBe(false);
        expect(charged.uses.length).toBeLessThan(charged.token.max_invocations ?? Infinity);
      }),
      { numRuns: 5_000 },
    );
  });

  it("their order changes neither the verdict nor the charge nor the denial", () => {
    fc.assert(
      fc.property(tokenSets, arbitraryAccess, (tokens, access) => {
        expect(ask(access, [...tokens].reverse())).toEqual(ask(access, tokens));
      }),
      { numRuns: 3_000 },
    );
  });

  it("a token more never takes an access away, a narrower policy never gives one", () => {
    fc.assert(
      fc.property(tokenSets, arbitraryAccess, (tokens, access) => {
        const some = ask(access, tokens.slice(1));
        if (some.ok) expect(ask(access, tokens).ok).toBe(true);
        if (ask(access, tokens, DEFAULT).ok) expect(ask(access, tokens).ok).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it("the capability that a denial offers is one that would have granted it", () => {
    fc.assert(
      fc.property(arbitraryAccess, (access) => {
        const verdict = ask(access, []);
        if (verdict.ok) throw new Error("granted by nothing");
        const { capability } = verdict.denial;
        if (capability !== undefined) expect(ask(access, [held(capability)]).ok).toBe(true);
      }),
    );
  });
});
