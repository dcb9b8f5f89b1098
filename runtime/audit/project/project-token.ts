import type { Database } from "../../store/open.js";
import { canonicalJson } from "../chain.js";
import { type Handlers, illegal, unknownId } from "./handler.js";

/** The table `tokens`: granted, counted, revoked. A token cut from another is counted against it and revoked with it. */
export function tokenHandlers(
  db: Database,
): Handlers<"capability_granted" | "capability_used" | "capability_revoked"> {
  const select = db.prepare("SELECT 1 FROM tokens WHERE token_id = ?");
  const agent = db.prepare("SELECT 1 FROM agents WHERE agent_id = ?");
  const insert = db.prepare(
    `INSERT INTO tokens (token_id, agent_id, parent_id, capability, max_invocations, rate_limit, issued_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const use = db.prepare(
    `WITH RECURSIVE line(id) AS (
       VALUES (?) UNION SELECT parent_id FROM tokens JOIN line ON token_id = id WHERE parent_id IS NOT NULL)
     UPDATE tokens SET uses = uses + 1 WHERE token_id IN (SELECT id FROM line)`,
  );
  const revoke = db.prepare(
    `WITH RECURSIVE cut(id) AS (
       VALUES (?) UNION SELECT token_id FROM tokens JOIN cut ON parent_id = id)
     UPDATE tokens SET revoked_at = ? WHERE revoked_at IS NULL AND token_id IN (SELECT id FROM cut)`,
  );
  const known = (tokenId: string): void => {
    if (select.get(tokenId) === undefined) throw unknownId("token", tokenId);
  };

  return {
    capability_granted: ({ token }) => {
      if (select.get(token.id) !== undefined) throw illegal(`token ${token.id} was granted before`);
      if (agent.get(token.agent_id) === undefined) throw unknownId("agent", token.agent_id);
      if (token.parent_id !== null) known(token.parent_id);
      insert.run(
        token.id,
        token.agent_id,
        token.parent_id,
        canonicalJson(token.capability),
        token.max_invocations,
        token.rate_limit === null ? null : canonicalJson(token.rate_limit),
        token.issued_at,
        token.expires_at,
      );
    },
    capability_used: (event) => {
      known(event.token_id);
      use.run(event.token_id);
    },
    capability_revoked: (event) => {
      known(event.token_id);
      revoke.run(event.token_id, Date.parse(event.time));
    },
  };
}
