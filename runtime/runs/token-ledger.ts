import { type Entropy, ulid } from "../base/ulid.js";
import type { HeldToken } from "../policy/decide.js";
import { formatCapability } from "../policy/grammar.js";
import type { Grant } from "../protocol/capability.js";
import type { AgentId, TokenId } from "../protocol/ids.js";
import { TokenId as TokenIdSchema } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";

/** A token with the times of its uses, ms since the epoch. */
export interface HeldBefore {
  readonly token: Token;
  readonly uses: readonly number[];
  readonly revoked: boolean;
}

interface Held {
  readonly token: Token;
  readonly uses: number[];
  revoked: boolean;
}

/**
 * The tokens of all living agents, in the daemon's memory; agents hold nothing themselves. The journal has every issue, use and
 * revocation, so the ledger can be rebuilt from it.
 */
export interface TokenLedger {
  /** New tokens for `agent`, not yet recorded: the caller writes them into the journal with the event that spawns the agent. */
  readonly issue: (agent: AgentId, grants: readonly Grant[]) => readonly Token[];
  /** What an agent of an earlier daemon holds, as the journal tells. */
  readonly restore: (agent: AgentId, held: readonly HeldBefore[]) => void;
  readonly heldBy: (agent: AgentId) => readonly HeldToken[];
  /** Counts one use of each token, before the effect; returns those whose use is limited, for the journal. */
  readonly charge: (tokens: readonly TokenId[]) => readonly Token[];
  /** Revokes the tokens and all that were cut from them; returns those that were not revoked before. */
  readonly revoke: (tokens: readonly TokenId[]) => readonly Token[];
  /** Calls `listener` with what an agent has just lost, or with nothing where it was given more, until the subscription ends. */
  readonly watch: (agent: AgentId, listener: (revoked: readonly Token[]) => void) => () => void;
  /** Revokes and forgets all that an ended agent held. */
  readonly release: (agent: AgentId) => readonly Token[];
}

export function openTokenLedger(entropy: Entropy): TokenLedger {
  const tokens = new Map<TokenId, Held>();
  const byAgent = new Map<AgentId, Held[]>();
  const watchers = new Map<AgentId, (revoked: readonly Token[]) => void>();

  const revokeTree = (ids: readonly TokenId[]): readonly Token[] => {
    const revoked: Token[] = [];
    for (const id of ids) {
      const held = tokens.get(id);
      if (held !== undefined && !held.revoked) {
        held.revoked = true;
        revoked.push(held.token);
      }
      const children = [...tokens.values()].filter(
        (other) => other.token.parent_id === id && !other.revoked,
      );
      revoked.push(...revokeTree(children.map((child) => child.token.id)));
    }
    return revoked;
  };
  const revoke = (ids: readonly TokenId[]): readonly Token[] => {
    const revoked = revokeTree(ids);
    for (const agent of new Set(revoked.map((token) => token.agent_id))) {
      watchers.get(agent)?.(revoked.filter((token) => token.agent_id === agent));
    }
    return revoked;
  };

  return {
    issue: (agent, grants) => {
      const issued = grants.map((grant) => makeToken(agent, grant, entropy));
      const held = issued.map((token): Held => ({ token, uses: [], revoked: false }));
      for (const entry of held) tokens.set(entry.token.id, entry);
      byAgent.set(agent, [...(byAgent.get(agent) ?? []), ...held]);
      watchers.get(agent)?.([]);
      return issued;
    },
    restore: (agent, before) => {
      const held = before.map((one): Held => ({ ...one, uses: [...one.uses] }));
      for (const entry of held) tokens.set(entry.token.id, entry);
      byAgent.set(agent, held);
    },
    heldBy: (agent) => byAgent.get(agent) ?? [],
    charge: (ids) => {
      const limited = ids
        .flatMap((id) => tokens.get(id) ?? [])
        .filter(({ token }) => isLimited(token));
      // The uses of a token without limits need no count: it would only grow.
      for (const held of limited) held.uses.push(entropy.now());
      return limited.map((held) => held.token);
    },
    revoke,
    watch: (agent, listener) => {
      watchers.set(agent, listener);
      return () => {
        watchers.delete(agent);
      };
    },
    release: (agent) => {
      const held = byAgent.get(agent) ?? [];
      const released = revoke(held.map((entry) => entry.token.id));
      for (const entry of held) tokens.delete(entry.token.id);
      byAgent.delete(agent);
      return released;
    },
  };
}

function isLimited(token: Token): boolean {
  return token.max_invocations !== null || token.rate_limit !== null;
}

function makeToken(agent: AgentId, grant: Grant, entropy: Entropy): Token {
  const now = entropy.now();
  const { max_invocations, rate_limit, expires_in_ms } = grant.constraints;
  return {
    id: TokenIdSchema.parse(ulid(entropy)),
    agent_id: agent,
    parent_id: null,
    capability: grant.capability,
    max_invocations: max_invocations ?? null,
    rate_limit: rate_limit ?? null,
    issued_at: now,
    expires_at: expires_in_ms === undefined ? null : now + expires_in_ms,
  };
}

/** The written form of a token's capability, for events and tables. */
export function tokenText(token: Token): string {
  return formatCapability(token.capability);
}
