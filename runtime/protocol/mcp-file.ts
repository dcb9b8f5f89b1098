import { z } from "zod";
import { CapabilitySource } from "./capability.js";
import { Name } from "./ids.js";

/** A value that goes out with every request: plain text, or a secret by name with what stands before it. */
export const McpValue = z.union([
  z.string(),
  z.strictObject({ credential: Name, prefix: z.string().default("") }),
]);
export type McpValue = z.infer<typeof McpValue>;

const shared = {
  /** The middle part of `mcp.SERVER.TOOL`. */
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, "takes 1 to 32 of a-z, 0-9, '_' and '-'"),
  /** What the server's own process may reach; `policy.yaml` cuts it as it cuts an agent's. */
  capabilities: z.array(CapabilitySource).default([]),
  /** Names of its tools that agents may see; absent shows all. */
  tools: z.array(z.string().min(1)).optional(),
  /** Seconds that a call may take. */
  timeout_s: z.number().positive().max(3_600).default(60),
};

/** A server that aaOS uses. `stdio` is a program of this machine, started confined; `http` is reached through the egress proxy. */
export const McpServerEntry = z.discriminatedUnion("transport", [
  z.strictObject({
    transport: z.literal("stdio"),
    ...shared,
    /** The program, by name, and its arguments. No shell reads them. */
    command: z.array(z.string().min(1)).min(1),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), McpValue).default({}),
    /** Absolute; must lie within what it may read. */
    cwd: z.string().startsWith("/").default("/"),
  }),
  z.strictObject({
    transport: z.literal("http"),
    ...shared,
    url: z.url({ protocol: /^https?$/ }),
    headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), McpValue).default({}),
  }),
]);
export type McpServerEntry = z.infer<typeof McpServerEntry>;

/** Where the MCP server of aaOS listens: loopback only, whatever a file says. */
const LoopbackBind = z
  .string()
  .regex(/^(127\.0\.0\.1|\[::1\]|localhost):\d{1,5}$/, "must be 127.0.0.1:PORT or [::1]:PORT");

/** `/etc/aaos/mcp-servers.yaml`. Absent turns both halves off. */
export const McpFile = z.strictObject({
  client: z.strictObject({ servers: z.array(McpServerEntry).default([]) }).prefault({}),
  server: z
    .strictObject({
      enabled: z.boolean().default(false),
      /** null: the Unix socket alone. */
      bind: LoopbackBind.nullable().default("127.0.0.1:3781"),
      /** The agent-to-agent protocol on the same listener. */
      a2a: z.boolean().default(false),
    })
    .prefault({}),
});
export type McpFile = z.infer<typeof McpFile>;
