import type { WireEvent } from "../protocol/control.js";
import type { Client, MethodInput } from "./client.js";

const PAGE = 1_000;

/** Every event that matches, oldest first, page by page. `limit` and `reverse` do not count. */
export async function* allEvents(
  client: Client,
  filter: MethodInput<"audit.query">,
  signal: AbortSignal,
): AsyncGenerator<WireEvent> {
  let after = filter.after_seq ?? 0;
  while (!signal.aborted) {
    const page = { ...filter, after_seq: after, limit: PAGE, reverse: false };
    const { events } = await client.call("audit.query", page);
    yield* events;
    after = events.at(-1)?.seq ?? after;
    if (events.length < PAGE) return;
  }
}
