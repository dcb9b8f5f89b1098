import type { HeldToken } from "../policy/decide.js";
import type { AgentId, TokenId } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";

/** A token with the times of its uses, ms since the epoch. */
export interface Held {
  readonly token: Token;
  readonly uses: number[];
  revoked: boolean;
}

/** Tokens by id, by agent, and by the line in which they were cut from one another. */
export interface HeldTokens {
  readonly add: (agent: AgentId, held: readonly Held[]) => void;
  readonly of: (agent: AgentId) => readonly Held[];
  readonly get: (id: TokenId) => Held | undefined;
  /** The token and those it was cut from, itself first. */
  readonly line: (id: TokenId) => readonly Held[];
  /** Those that were cut from the token itself. */
  readonly cutFrom: (id: TokenId) => readonly Held[];
  readonly forget: (agent: AgentId) => void;
}

export function openHeldTokens(): HeldTokens {
  const tokens = new Map<TokenId, Held>();
  const byAgent = new Map<AgentId, readonly Held[]>();
  const line = (id: TokenId): readonly Held[] => {
    const held = tokens.get(id);
    if (held === undefined) return [];
    const { parent_id } = held.token;
    return [held, ...(parent_id === null ? [] : line(parent_id))];
  };
  return {
    add: (agent, held) => {
      for (const entry of held) tokens.set(entry.token.id, entry);
      byAgent.set(agent, [...(byAgent.get(agent) ?? []), ...held]);
    },
    of: (agent) => byAgent.get(agent) ?? [],
    get: (id) => tokens.get(id),
    line,
    cutFrom: (id) => [...tokens.values()].filter(({ token }) => token.parent_id === id),
    forget: (agent) => {
      for (const { token } of byAgent.get(agent) ?? []) tokens.delete(token.id);
      byAgent.delete(agent);
    },
  };
}

/** As the check sees it: with those it was cut from. */
export function withAncestors(tokens: HeldTokens, held: Held): HeldToken {
  const ancestors = tokens.line(held.token.id).slice(1);
  return ancestors.length === 0 ? held : { ...held, ancestors };
}
