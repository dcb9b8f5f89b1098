import { z } from "zod";
import { Capability } from "./capability.js";
import { AgentId, TokenId } from "./ids.js";

/**
 * One grant to one agent, held by the daemon; agents know nothing of it. Times are milliseconds since the epoch. `parent_id`
 * is the token it was cut from: revoking that one revokes this one, and this one's use counts against that one too.
 */
export const Token = z.strictObject({
  id: TokenId,
  agent_id: AgentId,
  parent_id: TokenId.nullable(),
  capability: Capability,
  max_invocations: z.int().positive().nullable(),
  rate_limit: z.strictObject({ count: z.int().positive(), per_ms: z.int().positive() }).nullable(),
  issued_at: z.int(),
  expires_at: z.int().nullable(),
});
export type Token = z.infer<typeof Token>;
