import { type Entropy, ulid } from "../base/ulid.js";
import type { HeldToken } from "../policy/decide.js";
import { formatCapability } from "../policy/grammar.js";
import { narrowGrant } from "../policy/narrow.js";
import type { Grant } from "../protocol/capability.js";
import { type AgentId, type TokenId, TokenId as TokenIdSchema } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";
import { type Held, type HeldTokens, openHeldTokens, withAncestors } from "./held-tokens.js";

/** A token with the times of its uses, ms since the epoch. */
export type HeldBefore = Readonly<Omit<Held, "uses">> & { readonly uses: readonly number[] };

/** One use of a token: it and those of its line that are limited, for the journal. */
interface Charge {
  readonly token: Token;
  readonly counted: readonly TokenId[];
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
  /** What an agent of an earlier daemon holds, as the journal tells. */
  readonly restore: (agent: AgentId, held: readonly HeldBefore[]) => void;
  readonly heldBy: (agent: AgentId) => readonly HeldToken[];
  /**
   * Counts one use of each token and of those it was cut from, before the effect; returns those whose use is limited by any of
   * them, for the journal, which counts the line too.
   */
  readonly charge: (tokens: readonly TokenId[]) => readonly Charge[];
  /** Revokes the tokens and all that were cut from them; returns those that were not revoked before. */
  readonly revoke: (tokens: readonly TokenId[]) => readonly Token[];
  /** Calls `listener` with what an agent has just lost, or with nothing where it was given more, until the subscription ends. */
  readonly watch: (agent: AgentId, listener: (revoked: readonly Token[]) => void) => () => void;
  /** Revokes and forgets all that an ended agent held. */
  readonly release: (agent: AgentId) => readonly Token[];
}

export function openTokenLedger(entropy: Entropy): TokenLedger {
  const tokens = openHeldTokens();
  const watchers = new Map<AgentId, (revoked: readonly Token[]) => void>();

  const hold = (agent: AgentId, issued: readonly Token[]): readonly Token[] => {
    tokens.add(
      agent,
      issued.map((token) => ({ token, uses: [], revoked: false })),
    );
    watchers.get(agent)?.([]);
    return issued;
  };
  const revoke = (ids: readonly TokenId[]): readonly Token[] => {
    const revoked = revokeTree(tokens, ids);
    for (const agent of new Set(revoked.map((token) => token.agent_id))) {
      watchers.get(agent)?.(revoked.filter((token) => token.agent_id === agent));
    }
    return revoked;
  };

  return {
    issue: (agent, grants) =>
      hold(
        agent,
        grants.map((grant) => makeToken(agent, grant, entropy)),
      ),
    cut: (agent, parent, grants) => {
      const cut = cutTokens(tokens, agent, { parent, grants }, entropy);
      if (cut.ok) hold(agent, cut.tokens);
      return cut;
    },
    restore: (agent, before) => {
      tokens.add(
        agent,
        before.map((one) => ({ ...one, uses: [...one.uses] })),
      );
    },
    heldBy: (agent) => tokens.of(agent).map((held) => withAncestors(tokens, held)),
    charge: (ids) =>
      ids.flatMap((id) => {
        // The uses of a token without limits need no count: it would only grow.
        const limited = tokens.line(id).filter(({ token }) => isLimited(token));
        for (const held of limited) held.uses.push(entropy.now());
        const token = tokens.get(id)?.token;
        if (limited.length === 0 || token === undefined) return [];
        return [{ token, counted: limited.map((held) => held.token.id) }];
      }),
    revoke,
    watch: (agent, listener) => {
      watchers.set(agent, listener);
      return () => {
        watchers.delete(agent);
      };
    },
    release: (agent) => {
      const released = revoke(tokens.of(agent).map(({ token }) => token.id));
      tokens.forget(agent);
      return released;
    },
  };
}

function revokeTree(tokens: HeldTokens, ids: readonly TokenId[]): readonly Token[] {
  const revoked: Token[] = [];
  for (const id of ids) {
    const held = tokens.get(id);
    if (held !== undefined && !held.revoked) {
      held.revoked = true;
      revoked.push(held.token);
    }
    const children = tokens.cutFrom(id).filter((child) => !child.revoked);
    revoked.push(
      ...revokeTree(
        tokens,
        children.map((child) => child.token.id),
      ),
    );
  }
  return revoked;
}

function cutTokens(
  tokens: HeldTokens,
  agent: AgentId,
  { parent, grants }: { readonly parent: AgentId; readonly grants: readonly Grant[] },
  entropy: Entropy,
): CutTokens {
  const now = entropy.now();
  const isLive = ({ token }: Held) => tokens.line(token.id).every(({ revoked }) => !revoked);
  const from = tokens
    .of(parent)
    .filter(isLive)
    .map(({ token }) => token);
  const cuts = grants.map((grant) => ({ grant, cut: narrowGrant(from, grant, now) }));
  const problems = cuts.flatMap(({ cut }) => (cut.ok ? [] : [cut.problem]));
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    tokens: cuts.flatMap(({ grant: { capability }, cut }): Token[] => {
      if (!cut.ok) return [];
      const id = TokenIdSchema.parse(ulid(entropy));
      const { parent: parent_id, constraints } = cut;
      return [{ id, agent_id: agent, parent_id, capability, issued_at: now, ...constraints }];
    }),
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
