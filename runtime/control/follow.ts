import type { AuditFilter } from "../protocol/control.js";
import type { AuditEvent, ErasedEvent } from "../protocol/event.js";
import type { EventSource } from "./deps.js";

/** Live events held for a client that is slower than the daemon; over it the store takes their place. */
const QUEUE_LIMIT = 256;
const PAGE = 500;

export type StoredEvent = AuditEvent | ErasedEvent;
export type FollowFilter = Pick<AuditFilter, "run_id" | "agent_id" | "kind" | "since" | "until">;

/** `lag`: that many events were dropped from the queue; they follow from the store. `caught_up`: nothing newer is known. */
export type Followed =
  | { readonly type: "event"; readonly event: StoredEvent }
  | { readonly type: "lag"; readonly missed: number }
  | { readonly type: "caught_up"; readonly cursor: number };

/**
 * Every event after `afterSeq` that matches, once and in order: from the store until nothing is newer, then live. The change
 * has no gap: the subscription stands before the store is first read, and its queue opens with the very read that came back
 * empty. Never slows who appends: a full queue is dropped, and the store read again. Ends when `signal` aborts.
 */
export async function* follow(
  source: EventSource,
  filter: FollowFilter,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  using queue = subscribeQueue(source, filter, signal);
  const at = { seq: afterSeq };
  while (!isAborted(signal)) {
    queue.close();
    yield* replay(source, filter, at, signal);
    queue.open();
    yield { type: "caught_up", cursor: at.seq };
    yield* live(queue, at);
    if (queue.missed() > 0) yield { type: "lag", missed: queue.missed() };
  }
}

/** Read anew at each call: it changes while others run. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function* replay(
  source: EventSource,
  filter: FollowFilter,
  at: { seq: number },
  signal: AbortSignal,
): AsyncGenerator<Followed> {
  for (;;) {
    const page = source.reader.events(storeFilter(filter, at.seq));
    if (page.length === 0) return;
    for (const event of page) {
      at.seq = event.seq;
      yield { type: "event", event };
      if (signal.aborted) return;
    }
  }
}

async function* live(queue: LiveQueue, at: { seq: number }): AsyncGenerator<Followed> {
  for await (const event of queue.events()) {
    if (event === undefined) yield { type: "caught_up", cursor: at.seq };
    else if (event.seq > at.seq) {
      at.seq = event.seq;
      yield { type: "event", event };
    }
  }
}

function storeFilter(filter: FollowFilter, afterSeq: number): AuditFilter {
  return { ...filter, after_seq: afterSeq, limit: PAGE, reverse: false };
}

interface LiveQueue extends Disposable {
  /** Nothing is kept while closed: the store has it. */
  readonly close: () => void;
  readonly open: () => void;
  /** Events as they come; undefined each time all have been given. Ends on overflow and on abort. */
  readonly events: () => AsyncGenerator<AuditEvent | undefined>;
  /** How many were dropped since it was opened. */
  readonly missed: () => number;
}

function subscribeQueue(source: EventSource, filter: FollowFilter, signal: AbortSignal): LiveQueue {
  let held: AuditEvent[] = [];
  let missed = 0;
  let isOpen = false;
  let wake = () => {};
  const accept = (event: AuditEvent) => {
    if (missed === 0 && held.length < QUEUE_LIMIT) {
      held.push(event);
      return;
    }
    missed += held.length + 1;
    held = [];
  };
  const unsubscribe = source.subscribe((events) => {
    if (!isOpen) return;
    for (const event of events) if (matches(filter, event)) accept(event);
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort);
  async function* events(): AsyncGenerator<AuditEvent | undefined> {
    while (missed === 0 && !signal.aborted) {
      const event = held.shift();
      if (event !== undefined) {
        yield event;
        if (held.length === 0) yield undefined;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    close: () => {
      isOpen = false;
      held = [];
      missed = 0;
    },
    open: () => {
      isOpen = true;
    },
    events,
    missed: () => missed,
    [Symbol.dispose]: () => {
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
    },
  };
}

/** The same question that the store's query asks, of one event. */
function matches(filter: FollowFilter, event: AuditEvent): boolean {
  const { run_id, agent_id, kind, since, until } = filter;
  if (run_id !== undefined && event.run_id !== run_id) return false;
  if (agent_id !== undefined && event.agent_id !== agent_id) return false;
  if (kind !== undefined && !kind.includes(event.kind)) return false;
  const time = Date.parse(event.time);
  if (since !== undefined && time < Date.parse(since)) return false;
  return until === undefined || time <= Date.parse(until);
}
