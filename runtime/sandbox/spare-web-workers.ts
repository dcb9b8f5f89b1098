import { isDeepStrictEqual } from "node:util";
import type { Compiled } from "../protocol/compile.js";
import type { ConfinementPlan } from "../protocol/confinement.js";
import type { Machine } from "./confined-agent.js";
import { launchWebWorker, type WebWorker } from "./launch-web-worker.js";

export interface SpareWebWorkersOptions {
  readonly machine: Machine;
  /** The plan of a web worker whose agent holds the network and nothing else. */
  readonly compile: (cgroupName: string) => Promise<Compiled>;
  /** A spare that nobody has taken for so long is ended. */
  readonly idleMs: number;
}

/**
 * Web workers that were started before there is an agent for them, because Node and the libraries of a page take longer to load
 * than a page to fetch. A spare has been told nothing, reaches nothing (nobody serves its listeners) and becomes the worker of
 * one agent only, and only where that agent's own plan is the one it runs under.
 */
export class SpareWebWorkers {
  readonly #options: SpareWebWorkersOptions;
  readonly #lifetime = new AbortController();
  readonly #starting = new Set<Promise<void>>();
  #spares: readonly WebWorker[] = [];
  #launches = 0;
  #idle: NodeJS.Timeout | null = null;

  constructor(options: SpareWebWorkersOptions) {
    this.#options = options;
  }

  /** Starts what is missing of `count`. Never throws: an agent that finds no spare starts its own worker, which says why not. */
  prepare(count: number): void {
    if (this.#lifetime.signal.aborted) return;
    const missing = count - this.#spares.length - this.#starting.size;
    for (let n = 0; n < missing; n++) {
      const starting = this.#start().catch(() => undefined);
      this.#starting.add(starting);
      void starting.finally(() => this.#starting.delete(starting));
    }
    this.#rest();
  }

  /** A spare that runs under exactly `plan`, whose cgroup alone has another name and lies beside its agent's. The caller owns it from then on. */
  take(plan: ConfinementPlan): WebWorker | undefined {
    const spare = this.#spares.find((one) => isDeepStrictEqual(nameless(one.plan), nameless(plan)));
    this.#spares = this.#spares.filter((one) => one !== spare);
    return spare;
  }

  async close(): Promise<void> {
    this.#lifetime.abort();
    await Promise.all(this.#starting);
    const spares = this.#spares;
    this.#end();
    await Promise.all(spares.map(({ child }) => child.exited));
  }

  async #start(): Promise<void> {
    this.#launches += 1;
    const compiled = await this.#options.compile(`spare-w${this.#launches}`);
    if (!compiled.ok) return;
    const { machine } = this.#options;
    const launched = await launchWebWorker(machine, compiled.plan, this.#lifetime.signal);
    if (!launched.ok) return;
    const { worker } = launched;
    this.#spares = [...this.#spares, worker];
    void worker.child.exited.then(() => {
      if (!this.#spares.includes(worker)) return;
      this.#spares = this.#spares.filter((one) => one !== worker);
      this.#discard(worker);
    });
  }

  #rest(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#end(), this.#options.idleMs);
    this.#idle.unref();
  }

  #end(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const spares = this.#spares;
    this.#spares = [];
    for (const spare of spares) {
      spare.child.kill();
      this.#discard(spare);
    }
  }

  #discard({ child, stdio }: WebWorker): void {
    stdio.discard();
    for (const fd of child.listeners) this.#options.machine.addon.closeFd(fd);
  }
}

function nameless(plan: ConfinementPlan): ConfinementPlan {
  if (plan.cgroup === null) return plan;
  return { ...plan, cgroup: { ...plan.cgroup, group: null, name: "" } };
}
