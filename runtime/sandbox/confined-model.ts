import { AgentdError } from "../protocol/agentd-error.js";
import type { Compiled, ModelRequest } from "../protocol/compile.js";
import {
  MODEL_WORKER_MAX_LINE_BYTES,
  ModelWorkerReply,
  type ModelWorkerRequest,
} from "../protocol/model-worker-wire.js";
import { textLines } from "../protocol/text-lines.js";
import { openStdio } from "./child-stdio.js";
import { type Machine, notCompiled, notLaunched } from "./confined-agent.js";
import type { Child } from "./spawner.js";

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

/** A process that has not answered by then has lost its wits. */
const MAX_ANSWER_MS = 300_000;

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
  return new Model(options);
}

class Model implements ConfinedModel {
  readonly #options: ConfinedModelOptions;
  readonly #lifetime = new AbortController();
  readonly #pending = new Map<number, Pending>();
  #starting: Promise<Running> | null = null;
  #running: Running | null = null;
  #idle: NodeJS.Timeout | null = null;
  #last = 0;

  constructor(options: ConfinedModelOptions) {
    this.#options = options;
  }

  pid(): number | null {
    return this.#running?.child.pid ?? null;
  }

  async embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]> {
    if (this.#lifetime.signal.aborted) throw unavailable("the daemon is stopping");
    signal.throwIfAborted();
    this.#last += 1;
    const id = this.#last;
    let hung: NodeJS.Timeout | undefined;
    try {
      const { send, child } = await this.#start();
      const answer = this.#answerTo(id, texts.length, signal);
      send({ id, texts: [...texts] });
      hung = setTimeout(() => child.kill(), MAX_ANSWER_MS);
      return await answer;
    } finally {
      clearTimeout(hung);
      this.#rest();
    }
  }

  async close(): Promise<void> {
    this.#lifetime.abort();
    if (this.#idle !== null) clearTimeout(this.#idle);
    await this.#starting?.catch(() => undefined);
    const running = this.#running;
    running?.child.kill();
    await running?.child.exited;
  }

  #answerTo(id: number, wanted: number, signal: AbortSignal): Promise<readonly Float32Array[]> {
    return new Promise<readonly Float32Array[]>((resolve, reject) => {
      const onAbort = () => {
        this.#pending.delete(id);
        reject(unavailable("it took too long"));
      };
      const done = () => signal.removeEventListener("abort", onAbort);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#pending.set(id, {
        wanted,
        resolve: (vectors) => {
          done();
          resolve(vectors);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
    });
  }

  #start(): Promise<Running> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#running !== null) return Promise.resolve(this.#running);
    this.#starting ??= this.#launch().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #launch(): Promise<Running> {
    const { program, compile } = this.#options;
    const machine = this.#options.machine();
    const cgroup_name = `model-${this.#last}`;
    const compiled = await compile({ kind: "model", ...program, cgroup_name });
    if (!compiled.ok) throw unavailable(notCompiled(compiled).message);
    const stdio = openStdio(machine.addon);
    const launched = await machine.spawner.spawn(compiled.plan, stdio.fds, this.#lifetime.signal);
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
    this.#running = running;
    void read(stdout, this.#pending).catch(() => child.kill());
    void child.exited.then(() => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      if (this.#running === running) this.#running = null;
      for (const { reject } of this.#pending.values()) reject(unavailable("the model has ended"));
      this.#pending.clear();
    });
    return running;
  }

  #rest(): void {
    if (this.#pending.size > 0 || this.#running === null) return;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#running?.child.kill(), this.#options.idleMs);
    this.#idle.unref();
  }
}

/** Settles what is asked for; throws at the first line that is no reply to it. */
async function read(stdout: AsyncIterable<unknown>, pending: Map<number, Pending>): Promise<void> {
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
