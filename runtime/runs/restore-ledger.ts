import { AgentId, TokenId } from "../protocol/ids.js";
import type { StoreReader } from "../store/reader.js";
import { readEvents } from "./read-events.js";
import type { TokenLedger } from "./token-ledger.js";

/**
 * Gives the ledger back the tokens of every agent that has not ended, with what was used of them and when. Before any agent acts:
 * a restart must not make a token that was used up new.
 */
export function restoreLedger(reader: StoreReader, ledger: TokenLedger): void {
  const living = reader.agents({ all: false });
  if (living.length === 0) return;
  const held = living.flatMap(({ agent_id }) => reader.agent(agent_id)?.tokens ?? []);
  const uses = new Map<string, number[]>();
  if (held.some((token) => token.uses > 0)) {
    // A use may stand under another agent's name: that of a token is counted with those that were cut from it.
    const since = living.map(({ started_at }) => started_at).sort()[0];
    for (const event of readEvents(reader, ["capability_used"], { since })) {
      for (const id of event.counted ?? [event.token_id]) {
        const times = uses.get(id) ?? [];
        times.push(Date.parse(event.time));
        uses.set(id, times);
      }
    }
  }
  for (const { agent_id } of living) {
    const tokens = held.filter((token) => token.agent_id === agent_id);
    ledger.restore(
      AgentId.parse(agent_id),
      tokens.map(({ revoked_at, uses: _count, ...token }) => ({
        token,
        uses: uses.get(TokenId.parse(token.id)) ?? [],
        revoked: revoked_at !== null,
      })),
    );
  }
}
