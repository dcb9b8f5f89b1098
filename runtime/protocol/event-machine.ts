import { z } from "zod";

const SlotName = z.enum(["A", "B"]);

/** What became of the machine while the daemon did not look: told to it afterwards, by root (`system.record`). */
const Stories = [
  /** A new slot has proved that it works. */
  z.strictObject({ kind: z.literal("slot_confirmed"), slot: SlotName, version: z.string() }),
  /** A slot was left for the other one, by itself. */
  z.strictObject({
    kind: z.literal("slot_fallback"),
    from: SlotName,
    to: SlotName,
    version: z.string(),
    reason: z.string(),
  }),
  /** Everything before this event is what another machine, or this one, was at `made_at`. */
  z.strictObject({
    kind: z.literal("backup_restored"),
    hostname: z.string(),
    version: z.string(),
    made_at: z.string(),
  }),
] as const;
export const MachineStory = z.discriminatedUnion("kind", Stories);
export type MachineStory = z.infer<typeof MachineStory>;

/** What happens to the daemon and its files. */
export const MachineEvents = [
  ...Stories,
  z.strictObject({
    kind: z.literal("daemon_started"),
    version: z.string(),
    pid: z.int(),
    confinement: z.array(z.string()),
  }),
  z.strictObject({ kind: z.literal("daemon_stopped"), reason: z.string() }),
  /** The operator's files were read again; `problems` of those that are broken and keep what they said before. */
  z.strictObject({ kind: z.literal("configuration_reloaded"), problems: z.array(z.string()) }),
  /** A role, manifest or skill that is broken disables itself. */
  z.strictObject({
    kind: z.literal("catalog_entry_disabled"),
    file: z.string(),
    line: z.int().nullable(),
    problem: z.string(),
  }),
  /** The content of these events was erased on purpose; with a `run_id` in the envelope, all that is kept of that run. Hashes stay. */
  z.strictObject({
    kind: z.literal("content_erased"),
    first_seq: z.int().positive(),
    last_seq: z.int().positive(),
    reason: z.string(),
    /** Where all of it was written before, below `/var/lib/aaos`; SHA-256 of the file, in hex. */
    export: z.strictObject({ file: z.string(), sha256: z.string() }).optional(),
  }),
  /**
   * The folder of a run or agent that ended then is about to be removed. It says whose it was by its name, not by its envelope: it may
   * outlive what the journal knows of them.
   */
  z.strictObject({
    kind: z.literal("workspace_removed"),
    workspace: z.string(),
    ended_at: z.string(),
  }),
  /** Who asked the daemon for what: every call that acts, and every one that was refused. `target` is the id as they named it. */
  z.strictObject({
    kind: z.literal("operator_call"),
    method: z.string(),
    uid: z.int().nullable(),
    groups: z.array(z.int()),
    admin: z.boolean(),
    allowed: z.boolean(),
    target: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal("egress_decided"),
    host: z.string(),
    port: z.int(),
    /** `failed` by the network; `cut` after it had been allowed. */
    verdict: z.enum(["allowed", "denied", "failed", "cut"]),
    reason: z.string(),
    address: z.string().optional(),
  }),
  /** An MCP server was started, ended, or is away; `problem` says why. */
  z.strictObject({
    kind: z.literal("mcp_server_changed"),
    server: z.string(),
    state: z.enum(["ready", "waiting", "stopped"]),
    protocol: z.string().nullable(),
    problem: z.string().nullable(),
  }),
  /** What an MCP server offers is no longer what it was; full names of its tools. */
  z.strictObject({
    kind: z.literal("mcp_tools_changed"),
    server: z.string(),
    added: z.array(z.string()),
    removed: z.array(z.string()),
    changed: z.array(z.string()),
  }),
] as const;
