import { AgentdError } from "../protocol/agentd-error.js";
import type { Compiled, ModelRequest } from "../protocol/compile.js";
import {
  MODEL_WORKER_MAX_LINE_BYTES,
  ModelWorkerReply,
  type ModelWorkerRequest,
} from "../protocol/model-worker-wire.js";
import { openStdio } from "./child-stdio.js";
import { type Machine, notCompiled, notLaunched } from "./confined-agent.js";
import type { Child } from "./spawner.js";
import { textLines } from "./text-lines.js";

export interface ConfinedModelOptions {
  /** Asked at every launch; throws where nothing can be confined. */
  readonly machine: () => Pick<Machine, "addon" | "spawner">;
  /** The script with its arguments, and what it may read. */
  readonly program: Pick<ModelRequest, "script" | "args" | "trees">;
  readonly compile: (request: ModelRequest) => Promise<Compiled>;
  /** A process that was asked nothing for so long is ended; the next request starts another. */
  readonly idleMs: number;
}

export interface ConfinedModel {
  /** One vector for each text. Throws `unavailable`. An abort leaves the process at work for others. */
  readonly embed: (
    texts: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly Float32Array[]>;
  /** The process, while one is warm. */
  readonly pid: () => number | null;
  readonly close: () => Promise<void>;
}

interface Pending {
  readonly wanted: number;
  readonly resolve: (vectors: readonly Float32Array[]) => void;
  readonly reject: (error: AgentdError) => void;
}

interface Running {
  readonly child: Child;
  readonly send: (request: ModelWorkerRequest) => void;
}

/** The local embedding model: a confined process without network and files, started when first asked, ended when idle. */
export function confinedModel(options: ConfinedModelOptions): ConfinedModel {
  const { program, compile, idleMs } = options;
  const lifetime = new AbortController();
  const pending = new Map<number, Pending>();
  const state: {
    starting: Promise<Running> | null;
    running: Running | null;
    idle: NodeJS.Timeout | null;
    last: number;
  } = { starting: null, running: null, idle: null, last: 0 };

  const failAll = (reason: string): void => {
    for (const { reject } of pending.values()) reject(unavailable(reason));
    pending.clear();
  };
  const launch = async (): Promise<Running> => {
    const machine = options.machine();
    const request = { kind: "model", ...program, cgroup_name: `model-${state.last}` } as const;
    const compiled = await compile(request);
    if (!compiled.ok) throw unavailable(notCompiled(compiled).message);
    const stdio = openStdio(machine.addon);
    const launched = await machine.spawner.spawn(compiled.plan, stdio.fds, lifetime.signal);
    if (!launched.ok) {
      stdio.discard();
      throw unavailable(notLaunched("the embedding model", launched).message);
    }
    const { child } = launched;
    const { stdin, stdout, stderr } = stdio.open();
    for (const stream of [stdin, stderr]) stream.on("error", () => undefined);
    stderr.resume();
    const running: Running = {
      child,
      send: (message) => void stdin.write(`${JSON.stringify(message)}\n`),
    };
    state.running = running;
    void read(stdout, pending).catch(() => child.kill());
    void child.exited.then(() => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      if (state.running === running) state.running = null;
      failAll("the embedding model has ended");
    });
    return running;
  };
  const start = (): Promise<Running> => {
    if (state.running !== null) return Promise.resolve(state.running);
    state.starting ??= launch().finally(() => {
      state.starting = null;
    });
    return state.starting;
  };
  const rest = (): void => {
    if (state.idle !== null) clearTimeout(state.idle);
    state.idle = setTimeout(() => {
      if (pending.size === 0) state.running?.child.kill();
      else rest();
    }, idleMs);
    state.idle.unref();
  };
  return {
    pid: () => state.running?.child.pid ?? null,
    embed: async (texts, signal) => {
      if (lifetime.signal.aborted) throw unavailable("the daemon is stopping");
      signal.throwIfAborted();
      rest();
      state.last += 1;
      const id = state.last;
      const running = await start();
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          pending.delete(id);
          reject(unavailable("it took too long"));
        };
        const done = () => {
          signal.removeEventListener("abort", onAbort);
          rest();
        };
        signal.addEventListener("abort", onAbort, { once: true });
        pending.set(id, {
          wanted: texts.length,
          resolve: (vectors) => {
            done();
            resolve(vectors);
          },
          reject: (error) => {
            done();
            reject(error);
          },
        });
        running.send({ id, texts: [...texts] });
      });
    },
    close: async () => {
      lifetime.abort();
      if (state.idle !== null) clearTimeout(state.idle);
      await state.starting?.catch(() => undefined);
      const running = state.running;
      running?.child.kill();
      await running?.child.exited;
      failAll("the daemon is stopping");
    },
  };
}

/** Settles what is asked for; throws at the first line that is no reply to it. */
async function read(
  stdout: AsyncIterable<unknown>,
  pending: Map<number, Pending>,
): Promise<void> {
  for await (const line of textLines(stdout, MODEL_WORKER_MAX_LINE_BYTES)) {
    const reply = ModelWorkerReply.parse(JSON.parse(line));
    const asked = pending.get(reply.id);
    pending.delete(reply.id);
    if (asked === undefined) continue;
    if ("problem" in reply) asked.reject(unavailable(reply.problem));
    else if (reply.vectors.length === asked.wanted) asked.resolve(reply.vectors.map(floats));
    else throw new Error("a vector is missing");
  }
}

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, "base64");
  const values = new Float32Array(Math.floor(bytes.length / 4));
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(i * 4);
  if (values.length === 0 || values.some((value) => !Number.isFinite(value))) {
    throw new Error("a vector is none");
  }
  return values;
}

function unavailable(message: string): AgentdError {
  return new AgentdError("unavailable", "embed text", message);
}
