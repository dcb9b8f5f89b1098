import { Worker } from "node:worker_threads";
import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type {
  IndexAnswers,
  IndexRequest,
  IndexRequestOf,
  IndexThreadData,
  NumberedAnswer,
} from "./index-protocol.js";

type Without<T> = T extends unknown ? Omit<T, "type"> : never;

/** The loop's end of the search thread. */
export interface IndexLink {
  /** Throws `unavailable` where the thread has died or cannot do it. */
  readonly ask: <T extends IndexRequest["type"]>(
    type: T,
    request: Without<IndexRequestOf<T>>,
  ) => Promise<IndexAnswers[T]>;
  readonly close: () => Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: AgentdError) => void;
}

/** Starts the thread; it opens the index at once. */
export function openIndexLink(workerData: IndexThreadData): IndexLink {
  const worker = new Worker(new URL("./index-thread.js", import.meta.url), {
    workerData,
    execArgv: [],
  });
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let dead: AgentdError | undefined;
  const die = (reason: string): void => {
    dead ??= new AgentdError("unavailable", "search memory", reason);
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  worker.on("message", (answer: NumberedAnswer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) asked?.resolve(answer.value);
    else asked?.reject(new AgentdError("unavailable", "search memory", answer.message));
  });
  worker.on("error", (thrown) => die(`the memory index cannot be used: ${errorText(thrown)}`));
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      die("the memory index is closed");
      resolve();
    });
  });
  const ask: IndexLink["ask"] = (type, request) =>
    new Promise((resolve, reject) => {
      if (dead !== undefined) {
        reject(dead);
        return;
      }
      last += 1;
      waiting.set(last, { resolve: resolve as (value: unknown) => void, reject });
      worker.postMessage({ ...request, type, id: last });
    });
  return {
    ask,
    close: async () => {
      await ask("close", {}).catch(() => undefined);
      await exited;
    },
  };
}
