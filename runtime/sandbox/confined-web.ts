import type { ConfinementPlan } from "../protocol/confinement.js";
import { authorityText } from "../protocol/host-name.js";
import type { PortFailure, WebPort, WebRequest } from "../protocol/ports.js";
import { webAddress } from "../protocol/web-address.js";
import { checkHostProof } from "./check-proof.js";
import type { ChildStdio } from "./child-stdio.js";
import {
  type ConfinedAgent,
  type Enforced,
  type Machine,
  notCompiled,
  notLaunched,
} from "./confined-agent.js";
import type { DeniedHosts } from "./denied-hosts.js";
import type { Egress, Judge } from "./egress/types.js";
import { launchWebWorker, type WebWorker } from "./launch-web-worker.js";
import { asPortResult, portFailure } from "./port-failure.js";
import { serveChildEgress } from "./serve-child-egress.js";
import type { Child } from "./spawner.js";
import { webWorkerClient } from "./web-worker-client.js";

export interface WebWorkerProgram {
  /** The compiled `web-worker.js`. */
  readonly script: string;
  readonly args: readonly string[];
  /** What it needs to be read beside itself: its modules, and the operator's certificate authorities. */
  readonly trees: readonly string[];
}

export interface ConfinedWeb {
  readonly port: WebPort;
  /** Starts the worker ahead of the first request, which says why where it cannot be started. Never rejects. */
  readonly warm: () => Promise<void>;
  /** Tokens were taken away: connections to hosts that are no longer granted are reset. */
  readonly cut: () => void;
  readonly enforced: () => Enforced | null;
  readonly close: () => Promise<void>;
}

export interface WebOptions {
  readonly machine: Machine;
  readonly agent: ConfinedAgent;
  readonly program: WebWorkerProgram;
  /** A worker that runs under this plan already, if there is one to spare. */
  readonly spare: (plan: ConfinementPlan) => WebWorker | undefined;
  /** A worker that was asked nothing for so long is ended; the next request starts another. */
  readonly idleMs: number;
}

interface Running {
  readonly port: WebPort;
  readonly child: Child;
  readonly egress: Egress | null;
}

type Started = { readonly ok: true; readonly running: Running } | PortFailure;

/** The port `web` of one agent: a warm confined Node worker whose only way out is the egress proxy, under the agent's own judge. */
export function confinedWeb(options: WebOptions): ConfinedWeb {
  return new Web(options);
}

class Web implements ConfinedWeb {
  readonly port: WebPort;
  readonly #options: WebOptions;
  readonly #lifetime = new AbortController();
  /** Hosts that are being fetched from, with how often: their use has been charged already. */
  readonly #proven = new Map<string, number>();
  #starting: Promise<Started> | null = null;
  #running: Running | null = null;
  #enforced: Enforced | null = null;
  #idle: NodeJS.Timeout | null = null;
  #busy = 0;
  #launches = 0;

  constructor(options: WebOptions) {
    this.#options = options;
    this.port = {
      fetch: (granted, request, signal) =>
        asPortResult(request.url, signal, () => this.#fetch(granted, request, signal)),
    };
  }

  async warm(): Promise<void> {
    await this.#start().catch(() => undefined);
    this.#rest();
  }

  enforced(): Enforced | null {
    return this.#enforced;
  }

  cut(): void {
    this.#running?.egress?.cut();
  }

  async close(): Promise<void> {
    this.#lifetime.abort();
    const launched = await this.#starting;
    const running = this.#running ?? (launched?.ok === true ? launched.running : null);
    this.#stop();
    await running?.child.exited;
    await running?.egress?.close();
  }

  async #fetch(
    granted: Parameters<WebPort["fetch"]>[0],
    request: WebRequest,
    signal: AbortSignal,
  ): ReturnType<WebPort["fetch"]> {
    const address = webAddress(request.url);
    if (typeof address === "string") return portFailure("failed", `${request.url} ${address}`);
    checkHostProof(granted, address);
    const target = authorityText(address.host, address.port);
    this.#busy += 1;
    this.#proven.set(target, (this.#proven.get(target) ?? 0) + 1);
    try {
      const started = await this.#start();
      return started.ok ? await started.running.port.fetch(granted, request, signal) : started;
    } finally {
      this.#busy -= 1;
      const left = (this.#proven.get(target) ?? 1) - 1;
      if (left === 0) this.#proven.delete(target);
      else this.#proven.set(target, left);
      this.#rest();
    }
  }

  #start(): Promise<Started> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#running !== null) return Promise.resolve({ ok: true, running: this.#running });
    this.#starting ??= this.#launch().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #launch(): Promise<Started> {
    const { machine, agent, program } = this.#options;
    const closed = () => this.#lifetime.signal.aborted;
    const ended = portFailure("unavailable", "the agent has ended");
    this.#launches += 1;
    const cgroup_name = `${agent.id}/w${this.#launches}`;
    const compiled = await agent.compile({ kind: "web", ...program, cgroup_name });
    if (!compiled.ok) return notCompiled(compiled);
    if (closed()) return ended;
    const spare = this.#options.spare(compiled.plan);
    const launched =
      spare === undefined
        ? await launchWebWorker(machine, compiled.plan, this.#lifetime.signal)
        : ({ ok: true, worker: spare } as const);
    if (!launched.ok) return closed() ? ended : notLaunched("the web worker", launched);
    const { child, stdio, plan } = launched.worker;
    const { egress, hosts } = serveChildEgress({
      machine,
      agent,
      planned: plan.listeners,
      fds: child.listeners,
      judge: this.#judge,
    });
    const port = clientOf(child, stdio, hosts);
    const running: Running = { port, child, egress };
    this.#running = running;
    this.#enforced = child.enforced;
    void child.exited.then(() => {
      if (this.#running === running) this.#running = null;
      return egress?.close();
    });
    return { ok: true, running };
  }

  readonly #judge: Judge = (host, port, purpose) => {
    const isProven = purpose === "open" && this.#proven.has(authorityText(host, port));
    return this.#options.agent.judge(host, port, isProven ? "proven" : purpose);
  };

  #rest(): void {
    if (this.#busy > 0 || this.#running === null) return;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stop(), this.#options.idleMs);
    this.#idle.unref();
  }

  #stop(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.#running?.child.kill();
    this.#running = null;
  }
}

/** The worker's wire over its pipes. What it says on stderr is nobody's: a foreign page may have said it. */
function clientOf(child: Child, stdio: ChildStdio, hosts: DeniedHosts): WebPort {
  const { stdin, stdout, stderr } = stdio.open();
  stderr.on("error", () => undefined).resume();
  void child.exited.then(() => {
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
  });
  return webWorkerClient(
    { stdin, stdout, exited: child.exited },
    {
      denialOf: (host, port) => hosts.of(host, port),
      failureOf: (host, port) => hosts.failure(host, port),
      onBroken: () => child.kill(),
    },
  );
}
