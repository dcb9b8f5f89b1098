import { errorText } from "../base/error-text.js";
import type { Embedder } from "./embedder.js";
import type { IndexLink } from "./index-link.js";

/** Texts that are embedded at once. */
const BATCH = 16;
const RETRY_MS = 60_000;

export interface Backlog {
  /** There may be memories without a vector: they get one, one batch after the other. Returns at once. */
  readonly kick: () => void;
  /** Resolves when nothing is left to do, or something stands in the way. */
  readonly idle: () => Promise<void>;
  /** Why it came to a stop; null while all is well. */
  readonly problem: () => string | null;
  readonly close: () => Promise<void>;
}

interface State {
  problem: string | null;
  /** More came while it was at work. */
  again: boolean;
  running: Promise<void> | undefined;
}

/** Embeds in the background what has no vector of the embedder's model: new memories, and after a change of the model all of them. */
export function openBacklog(
  link: IndexLink,
  embedder: Embedder,
  onProblem: (problem: string) => void,
): Backlog {
  const stop = new AbortController();
  const state: State = { problem: null, again: false, running: undefined };
  let retry: NodeJS.Timeout | undefined;

  const work = async (): Promise<void> => {
    const { model } = embedder;
    for (;;) {
      const pending = await link.ask("pending", { model, limit: BATCH });
      if (pending.length === 0 || stop.signal.aborted) return;
      const vectors = await embedder.embed(
        pending.map(({ content }) => content),
        stop.signal,
      );
      const made = pending.flatMap(({ entry_id }, i) => {
        const values = vectors[i];
        return values === undefined ? [] : [{ entry_id, values }];
      });
      if (made.length === 0) throw new Error("it gave no vectors");
      await link.ask("embedded", { model, vectors: made });
    }
  };
  const fail = (thrown: unknown): void => {
    if (stop.signal.aborted) return;
    state.problem = `${embedder.model}: ${errorText(thrown)}`;
    onProblem(state.problem);
    retry = setTimeout(kick, RETRY_MS);
    retry.unref();
  };
  const run = async (): Promise<void> => {
    state.again = false;
    try {
      await work();
      state.problem = null;
    } catch (thrown) {
      fail(thrown);
      return;
    }
    if (wasKicked(state) && !stop.signal.aborted) await run();
  };
  const kick = (): void => {
    clearTimeout(retry);
    if (stop.signal.aborted) return;
    if (state.running !== undefined) {
      state.again = true;
      return;
    }
    state.running = run().finally(() => {
      state.running = undefined;
    });
  };
  return {
    kick,
    idle: async () => state.running,
    problem: () => state.problem,
    close: async () => {
      stop.abort();
      clearTimeout(retry);
      await state.running;
    },
  };
}

/** Asked of the object, because it changes while `run` waits. */
function wasKicked({ again }: State): boolean {
  return again;
}
