/** Who asks for a call, and by when it should have begun. */
export interface Turn {
  /** Calls of one flow share its turns: a run, or an agent that belongs to none. */
  readonly flow: string;
  /** Ms since the epoch. Among the calls whose turn it is, the earliest goes first. */
  readonly deadline: number;
}

/** Its place among the flows: `claim` is the round in which its next call is due, fixed when that call became the next. */
interface Flow<T> {
  claim: number;
  readonly waiting: Entry<T>[];
}

interface Entry<T> {
  readonly turn: Turn;
  readonly number: number;
  readonly item: T;
}

/**
 * What waits, by flow. Fair between flows, earliest deadline first among equals. Every flow that waits has one item due a round; a
 * flow that was served is due again a round later, so that a run with a hundred agents cannot keep another one out. A deadline
 * is fixed when an item is added, so that later ones cannot pass it for ever.
 */
export interface Flows<T> {
  /** Returns what takes it out again. */
  readonly add: (turn: Turn, item: T) => () => void;
  /** Takes out what is next; undefined where nothing waits. */
  readonly next: () => T | undefined;
  readonly count: () => number;
}

export function openFlows<T>(): Flows<T> {
  const flows = new Map<string, Flow<T>>();
  let round = 0;
  let numbered = 0;

  const remove = (entry: Entry<T>): void => {
    const flow = flows.get(entry.turn.flow);
    const at = flow?.waiting.indexOf(entry) ?? -1;
    if (flow === undefined || at < 0) return;
    flow.waiting.splice(at, 1);
    if (flow.waiting.length === 0) flows.delete(entry.turn.flow);
  };

  return {
    add: (turn, item) => {
      const entry = { turn, number: numbered++, item };
      const flow = flows.get(turn.flow) ?? { claim: round + 1, waiting: [] };
      flow.waiting.push(entry);
      flows.set(turn.flow, flow);
      return () => remove(entry);
    },
    next: () => {
      const due = dueOf([...flows.values()]);
      if (due === undefined) return undefined;
      round = Math.max(round, due.flow.claim);
      due.flow.claim = round + 1;
      remove(due.entry);
      return due.entry.item;
    },
    count: () => [...flows.values()].reduce((sum, { waiting }) => sum + waiting.length, 0),
  };
}

interface Due<T> {
  readonly flow: Flow<T>;
  readonly entry: Entry<T>;
}

function dueOf<T>(flows: readonly Flow<T>[]): Due<T> | undefined {
  const due = flows.map((flow) => ({ flow, entry: flow.waiting.reduce(earlier) }));
  return due.reduce<Due<T> | undefined>((best, one) => {
    if (best === undefined || one.flow.claim < best.flow.claim) return one;
    if (one.flow.claim > best.flow.claim) return best;
    return earlier(best.entry, one.entry) === one.entry ? one : best;
  }, undefined);
}

function earlier<T>(a: Entry<T>, b: Entry<T>): Entry<T> {
  const [x, y] = [a.turn.deadline, b.turn.deadline];
  return x < y || (x === y && a.number < b.number) ? a : b;
}
