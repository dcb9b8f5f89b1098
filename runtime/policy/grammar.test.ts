import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Capability, CapabilitySource } from "../protocol/capability.js";
import { arbitraryCapability } from "../test/arbitrary-capability.js";
import { formatCapability, formatGrant, parseGrant } from "./grammar.js";

function capability(source: CapabilitySource): Capability {
  const parsed = parseGrant(source);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.grant.capability;
}

function problem(source: CapabilitySource): string {
  const parsed = parseGrant(source);
  if (parsed.ok) throw new Error(`taken: ${JSON.stringify(parsed.grant)}`);
  return parsed.problem;
}

describe("A11 every capability of the grammar is taken", () => {
  const table: readonly (readonly [CapabilitySource, Capability])[] = [
    ["web_search", { kind: "web_search" }],
    ["file_read: /data/*", { kind: "file_read", glob: "/data/*" }],
    ["file_write:/out//x.md", { kind: "file_write", glob: "/out/x.md" }],
    [{ file_read: "/a: b, c" }, { kind: "file_read", glob: "/a: b, c" }],
    ["exec: git", { kind: "exec", program: "git", subcommands: null }],
    [
      "exec: git status | diff|log",
      { kind: "exec", program: "git", subcommands: ["status", "diff", "log"] },
    ],
    ["exec: /opt/x/bin/tool", { kind: "exec", program: "/opt/x/bin/tool", subcommands: null }],
    ["network: *", { kind: "network", hosts: [{ host: "*", port: null }] }],
    [
      "network: A.Example., *.b.org:8443",
      {
        kind: "network",
        hosts: [
          { host: "a.example", port: null },
          { host: "*.b.org", port: 8443 },
        ],
      },
    ],
    ["network: https://a.org/x", { kind: "network", hosts: [{ host: "a.org", port: 443 }] }],
    ["network: http://a.org:8080", { kind: "network", hosts: [{ host: "a.org", port: 8080 }] }],
    ["network: [::1]", { kind: "network", hosts: [{ host: "::1", port: null }] }],
    [
      "network: [0:0:0:0:0:0:0:1]:80, [2001:DB8::1]",
      {
        kind: "network",
        hosts: [
          { host: "::1", port: 80 },
          { host: "2001:db8::1", port: null },
        ],
      },
    ],
    [
      "network: bücher.example",
      { kind: "network", hosts: [{ host: "xn--bcher-kva.example", port: null }] },
    ],
    [
      "network: [a.org, b.org]",
      {
        kind: "network",
        hosts: [
          { host: "a.org", port: null },
          { host: "b.org", port: null },
        ],
      },
    ],
    [
      { network: ["a.org", "b.org:1"] },
      {
        kind: "network",
        hosts: [
          { host: "a.org", port: null },
          { host: "b.org", port: 1 },
        ],
      },
    ],
    ["tool: web_fetch", { kind: "tool", name: "web_fetch" }],
    ["tool: mcp.git-hub.issues.list", { kind: "tool", name: "mcp.git-hub.issues.list" }],
    ["tool: mcp.github.*", { kind: "tool", name: "mcp.github.*" }],
    ["tool: *", { kind: "tool", name: "*" }],
    ["spawn_child: [analyzer, writer]", { kind: "spawn_child", roles: ["analyzer", "writer"] }],
    ["spawn_child: [*]", { kind: "spawn_child", roles: ["*"] }],
    [{ spawn_child: ["analyzer"] }, { kind: "spawn_child", roles: ["analyzer"] }],
    ["message_send: a, b", { kind: "message_send", agents: ["a", "b"] }],
    ["cargo_run: /src/p/", { kind: "cargo_run", dir: "/src/p" }],
    ["git_commit: /src/p", { kind: "git_commit", dir: "/src/p" }],
  ];
  it.each(table)("%j", (source, expected) => {
    expect(capability(source)).toEqual(expected);
  });

  it("an address written in decimal, octal or hex is the address it means", () => {
    for (const form of [
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.1",
      "http://2130706433:80/",
    ]) {
      expect(capability(`network: ${form}`)).toMatchObject({ hosts: [{ host: "127.0.0.1" }] });
    }
  });
});

describe("A24-20 what is unknown or malformed is an error with a suggestion", () => {
  it.each<readonly [CapabilitySource, string]>([
    ["file_raed: /data/*", "did you mean file_read?"],
    ["web_serch", "did you mean web_search?"],
    ["networks: a.org", "did you mean network?"],
    ["file_read", "write it as 'file_read: /data/*'"],
    ["file_read:", "write it as 'file_read: /data/*'"],
    ["file_read: data/*", "must begin with '/'"],
    ["file_read: /data/../etc/*", "'..'"],
    ["file_read: /data/\0", "control character"],
    ["file_write: /data/**x", "whole segment"],
    ["web_search: yes please", "takes no value"],
    ["network: a.org/path", "whole URL with https://"],
    ["network: a.org,, b.org", "empty host"],
    ["network: a.org:0", "1 to 65535"],
    ["network: a.org:99999", "1 to 65535"],
    ["network: ::1", "in brackets"],
    ["network: https://user:secret@a.org/", "user name or password"],
    ["network: user@a.org", "user name"],
    ["network: a*.org", "'*.example.com'"],
    ["network: *.10.0.0.1", "star stands alone"],
    ["network: ftp://a.org", "http or https"],
    ["network: a b.org", "no host name"],
    ["exec: rm -rf", "no subcommand"],
    ["exec: *", "no program name"],
    ["exec: git status diff", "separate subcommands by '|'"],
    ["exec: /opt/../bin/x", "no program name"],
    ["tool: web fetch", "no tool name"],
    ["tool: mcp.x", "no tool name"],
    ["spawn_child: [a b]", "no name"],
    ["cargo_run: /src/*", "without a star"],
    [{}, "names no capability"],
    [{ name: "x" }, "unknown capability 'name'"],
    [{ file_read: "/a", file_write: "/b" }, "two capabilities"],
    [{ file_read: "/a", max_invocation: 3 }, "did you mean max_invocations?"],
    [{ file_read: "/a", max_invocations: 0 }, "whole number"],
    [{ file_read: "/a", max_invocations: "3" }, "whole number"],
    [{ file_read: "/a", rate_limit: "fast" }, "10/min"],
    [{ file_read: "/a", rate_limit: "0/min" }, "10/min"],
    [{ file_read: "/a", expires_in: "soon" }, "duration"],
    [{ file_read: { output: null } }, "in quotes"],
    [{ file_read: ["/a", "/b"] }, "needs a value"],
  ])("%j: %s", (source, expected) => {
    expect(problem(source)).toContain(expected);
  });
});

describe("constraints", () => {
  it("are read in the map form", () => {
    const source = {
      file_write: "/out/*",
      max_invocations: 3,
      rate_limit: "10/min",
      expires_in: "1h",
    };
    expect(parseGrant(source)).toEqual({
      ok: true,
      grant: {
        capability: { kind: "file_write", glob: "/out/*" },
        constraints: {
          max_invocations: 3,
          rate_limit: { count: 10, per_ms: 60_000 },
          expires_in_ms: 3_600_000,
        },
      },
    });
    expect(parseGrant({ web_search: null, rate_limit: "5/10s" })).toMatchObject({
      grant: { constraints: { rate_limit: { count: 5, per_ms: 10_000 } } },
    });
  });

  it("are written as they are read", () => {
    const parsed = parseGrant({
      file_write: "/out/*",
      max_invocations: 3,
      rate_limit: "10/min",
      expires_in: "1h",
    });
    if (!parsed.ok) throw new Error(parsed.problem);
    expect(formatGrant(parsed.grant)).toBe(
      '{file_write: "/out/*", max_invocations: 3, rate_limit: 10/min, expires_in: 1h}',
    );
  });
});

it("what is written is read back as the same capability", () => {
  fc.assert(
    fc.property(arbitraryCapability, (one) => {
      expect(parseGrant(formatCapability(one))).toEqual({
        ok: true,
        grant: { capability: one, constraints: {} },
      });
    }),
    { numRuns: 5_000 },
  );
});

it("no text makes the parser throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => typeof parseGrant(text).ok === "boolean"),
    { numRuns: 5_000 },
  );
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom(
          "file_read",
          "network",
          "tool",
          "max_invocations",
          "rate_limit",
          "__proto__",
        ),
        fc.anything(),
      ),
      (map) => typeof parseGrant(map).ok === "boolean",
    ),
  );
});
