import type { StoreReader } from "../../store/reader.js";
import type { ModelCalls } from "../calls/model-calls.js";
import { readEvents } from "../read-events.js";
import { type Account, plus, spentOf } from "./account.js";

/** A day of the machine begins at midnight UTC. */
export const DAY_MS = 86_400_000;

/**
 * Gives the machine's day back what the journal says was spent in it, and the models' figures their latencies. Before anything is
 * spent: a restart must not make a used day new. What was erased of the day no longer counts.
 */
export function recallSpending(
  reader: Pick<StoreReader, "events">,
  day: Account,
  modelCalls: ModelCalls,
  nowMs: number,
): void {
  const since = new Date(Math.floor(nowMs / DAY_MS) * DAY_MS).toISOString();
  for (const { provider, model, latency_ms, ...usage } of usages(reader, since)) {
    day.spent = plus(day.spent, spentOf(usage));
    modelCalls.recall(provider, model, latency_ms);
  }
}

function usages(reader: Pick<StoreReader, "events">, since: string) {
  return readEvents(
    { events: (filter) => reader.events(filter).filter(isWhole) },
    ["usage_reported"],
    {
      since,
    },
  );
}

function isWhole(event: object): boolean {
  return !("erased" in event);
}
