import fc from "fast-check";
import { normaliseGlob } from "../policy/glob-syntax.js";
import type { Access } from "../protocol/access.js";
import type { Capability, HostPattern } from "../protocol/capability.js";

/** Capabilities and accesses over a small world, so that they meet often. For property tests. */

const segment = fc.constantFrom("a", "b", "c", "a*", "*b", "*", "**", "\\*", ".env");
const glob = fc
  .array(segment, { maxLength: 4 })
  .map((parts) => normaliseGlob(`/${parts.join("/")}`))
  .map((normal) => (normal.ok ? normal.glob : "/"));

export const arbitraryPath = fc
  .array(fc.constantFrom("a", "b", "c", "ab", "*", ".env"), { maxLength: 4 })
  .map((parts) => `/${parts.join("/")}`);

const plainHost = fc.constantFrom(
  "a.org",
  "x.a.org",
  "b.org",
  "localhost",
  "127.0.0.1",
  "10.0.0.1",
  "::1",
  "8.8.8.8",
);
const host: fc.Arbitrary<HostPattern> = fc.record({
  host: fc.oneof(plainHost, fc.constantFrom("*", "*.a.org", "*.org")),
  port: fc.constantFrom(null, 80, 443),
});
const name = fc.constantFrom("x", "y", "z");
const names = fc.uniqueArray(fc.oneof(name, fc.constant("*")), { minLength: 1, maxLength: 3 });

export const arbitraryCapability: fc.Arbitrary<Capability> = fc.oneof(
  fc.record({ kind: fc.constantFrom("file_read", "file_write"), glob }),
  fc.record({
    kind: fc.constant("exec"),
    program: fc.constantFrom("git", "rg"),
    subcommands: fc.oneof(fc.constant(null), fc.uniqueArray(name, { minLength: 1, maxLength: 2 })),
  }),
  fc.record({
    kind: fc.constant("network"),
    hosts: fc.array(host, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("web_search") }),
  fc.record({
    kind: fc.constant("tool"),
    name: fc.constantFrom("*", "echo", "grep", "mcp.s.*", "mcp.s.x", "mcp.t.x"),
  }),
  fc.record({ kind: fc.constant("spawn_child"), roles: names }),
  fc.record({
    kind: fc.constantFrom("cargo_run", "git_commit"),
    dir: arbitraryPath.filter((p) => !p.includes("*")),
  }),
  fc.record({ kind: fc.constant("message_send"), agents: names }),
) as fc.Arbitrary<Capability>;

export const arbitraryAccess: fc.Arbitrary<Access> = fc.oneof(
  fc.record({ kind: fc.constantFrom("file_read", "file_write"), path: arbitraryPath }),
  fc.record({
    kind: fc.constant("exec"),
    program: fc.constantFrom("git", "rg"),
    args: fc.array(name, { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant("network"), host: plainHost, port: fc.constantFrom(80, 443) }),
  fc.record({
    kind: fc.constant("tool"),
    name: fc.constantFrom("echo", "grep", "mcp.s.x", "mcp.t.x"),
  }),
  fc.record({ kind: fc.constant("spawn_child"), role: name }),
  fc.record({ kind: fc.constantFrom("cargo_run", "git_commit"), dir: arbitraryPath }),
  fc.record({ kind: fc.constant("message_send"), agent: name }),
) as fc.Arbitrary<Access>;
