import type { Frame } from "../protocol/control.js";
import type { EventSource } from "./deps.js";
import { type Followed, type FollowFilter, follow, type StoredEvent } from "./follow.js";

/** How a stream knows that what it follows is over. */
export interface Ending {
  /** True for an event after which it is worth asking. */
  readonly mayEnd: (event: StoredEvent) => boolean;
  /** Asked of the projections, once all events known are sent. */
  readonly hasEnded: () => boolean;
}

interface Followable {
  readonly source: EventSource;
  readonly filter: FollowFilter;
  readonly afterSeq: number;
}

/** What matches, as frames, until it has ended and its last event was sent, or until `signal` aborts. */
export async function* framesUntil(
  ending: Ending,
  { source, filter, afterSeq }: Followable,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  let ask = true;
  for await (const item of follow(source, filter, afterSeq, signal)) {
    yield* framesOf(item);
    if (item.type === "event" && ending.mayEnd(item.event)) ask = true;
    if (item.type !== "caught_up" || !ask) continue;
    ask = ending.hasEnded();
    // An event that was committed a moment ago may still be on its way here.
    if (ask && isLast(source, filter, item.cursor)) return;
  }
}

function* framesOf(item: Followed): Generator<Frame> {
  if (item.type === "lag") yield { kind: "lag", missed: item.missed };
  if (item.type !== "event") return;
  const { event } = item;
  yield { kind: "event", event };
  if (!("erased" in event) && event.kind === "plan_produced") {
    yield { kind: "plan", plan: event.plan };
  }
}

function isLast({ reader }: EventSource, filter: FollowFilter, seq: number): boolean {
  return reader.events({ ...filter, after_seq: seq, limit: 1, reverse: false }).length === 0;
}
