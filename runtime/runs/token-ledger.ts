import { type Entropy, ulid } from "../base/ulid.js";
import type { HeldToken } from "../policy/decide.js";
import { formatCapability } from "../policy/grammar.js";
import { narrowGrant } from "../policy/narrow.js";
import type { Grant } from "../protocol/capability.js";
import type { AgentId, TokenId } from "../protocol/ids.js";
import { TokenId as TokenIdSchema } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";

interface Held {
  readonly token: Token;
  readonly uses: number[];
  revoked: boolean;
}

export type CutTokens =
  | { readonly ok: true; readonly tokens: readonly Token[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * The tokens of all living agents, in the daemon's memory; agents hold nothing themselves. The journal has every issue, use and
 * revocation, so the ledger can be rebuilt from it.
 */
export interface TokenLedger {
  /** New tokens for `agent`, not yet recorded: the caller writes them into the journal with the event that spawns the agent. */
  readonly issue: (agent: AgentId, grants: readonly Grant[]) => readonly Token[];
  /**
   * New tokens for `agent`, each cut from one that `parent` holds and inheriting its limits; or why not, and then none. Nothing can
   * be revoked in between: what is cut from a token dies with it.
   */
  readonly cut: (agent: AgentId, parent: AgentId, grants: readonly Grant[]) => CutTokens;
  readonly heldBy: (agent: AgentId) => readonly HeldToken[];
  /**
   * Counts one use of each token and of those it was cut from, before the effect; returns those whose use is limited by any of
   * them, for the journal, which counts the line too.
   */
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

  const hold = (agent: AgentId, issued: readonly Token[]): void => {
    const held = issued.map((token): Held => ({ token, uses: [], revoked: false }));
    for (const entry of held) tokens.set(entry.token.id, entry);
    byAgent.set(agent, [...(byAgent.get(agent) ?? []), ...held]);
    watchers.get(agent)?.([]);
  };
  /** The token and those it was cut from, itself first. */
  const lineOf = (id: TokenId): readonly Held[] => {
    const held = tokens.get(id);
    if (held === undefined) return [];
    const { parent_id } = held.token;
    return [held, ...(parent_id === null ? [] : lineOf(parent_id))];
  };
  const withAncestors = (held: Held): HeldToken => {
    const ancestors = lineOf(held.token.id).slice(1);
    return ancestors.length === 0 ? held : { ...held, ancestors };
  };
  const isRevoked = (held: Held): boolean => lineOf(held.token.id).some(({ revoked }) => revoked);
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
      hold(agent, issued);
      return issued;
    },
    cut: (agent, parent, grants) => {
      const now = entropy.now();
      const from = (byAgent.get(parent) ?? []).filter((held) => !isRevoked(held));
      const cuts = grants.map((grant) =>
        narrowGrant(
          from.map(({ token }) => token),
          grant,
          now,
        ),
      );
      const problems = cuts.flatMap((cut) => (cut.ok ? [] : [cut.problem]));
      if (problems.length > 0) return { ok: false, problems };
      const issued = cuts.flatMap((cut, i): Token[] => {
        const capability = grants[i]?.capability;
        if (!cut.ok || capability === undefined) return [];
        const id = TokenIdSchema.parse(ulid(entropy));
        const { parent: parent_id, constraints } = cut;
        return [{ id, agent_id: agent, parent_id, capability, issued_at: now, ...constraints }];
      });
      hold(agent, issued);
      return { ok: true, tokens: issued };
    },
    heldBy: (agent) => (byAgent.get(agent) ?? []).map(withAncestors),
    charge: (ids) =>
      ids.flatMap((id) => {
        // The uses of a token without limits need no count: it would only grow.
        const limited = lineOf(id).filter(({ token }) => isLimited(token));
        for (const held of limited) held.uses.push(entropy.now());
        const own = tokens.get(id)?.token;
        return limited.length === 0 || own === undefined ? [] : [own];
      }),
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
