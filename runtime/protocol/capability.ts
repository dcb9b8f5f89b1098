import { z } from "zod";

/** A host of a `network:` capability: a name, `*.suffix`, `*`, or an address; with a port, or any port (null). */
export const HostPattern = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(1).max(65_535).nullable(),
});
export type HostPattern = z.infer<typeof HostPattern>;

/** What may be granted. An object, never text: `policy/grammar.ts` makes it from the written form. */
export const Capability = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("file_read"), glob: z.string() }),
  z.strictObject({ kind: z.literal("file_write"), glob: z.string() }),
  /** `subcommands: null` allows any. */
  z.strictObject({
    kind: z.literal("exec"),
    program: z.string(),
    subcommands: z.array(z.string()).nullable(),
  }),
  z.strictObject({ kind: z.literal("network"), hosts: z.array(HostPattern).min(1) }),
  z.strictObject({ kind: z.literal("web_search") }),
  /** A tool's name, `mcp.SERVER.TOOL`, `mcp.SERVER.*` or `*`. */
  z.strictObject({ kind: z.literal("tool"), name: z.string() }),
  z.strictObject({ kind: z.literal("spawn_child"), roles: z.array(z.string()).min(1) }),
  z.strictObject({ kind: z.literal("cargo_run"), dir: z.string() }),
  z.strictObject({ kind: z.literal("git_commit"), dir: z.string() }),
  z.strictObject({ kind: z.literal("message_send"), agents: z.array(z.string()).min(1) }),
]);
export type Capability = z.infer<typeof Capability>;
export type CapabilityKind = Capability["kind"];

/** Limits on a grant, as written. Durations in ms. */
export const Constraints = z.strictObject({
  max_invocations: z.int().positive().optional(),
  rate_limit: z.strictObject({ count: z.int().positive(), per_ms: z.int().positive() }).optional(),
  expires_in_ms: z.int().positive().optional(),
});
export type Constraints = z.infer<typeof Constraints>;

/** A capability together with its constraints: what a role or manifest asks for. */
export const Grant = z.strictObject({ capability: Capability, constraints: Constraints });
export type Grant = z.infer<typeof Grant>;

/** The written form: `"file_read: /data/*"`, `{file_read: "/data/*", max_invocations: 3}` or `web_search`. Parsed by policy. */
export const CapabilitySource = z.union([z.string(), z.record(z.string(), z.unknown())]);
export type CapabilitySource = z.infer<typeof CapabilitySource>;
