import { constants } from "node:os";
import { assertNever } from "../base/assert-never.js";
import type { ConfinementPlan } from "../protocol/confinement.js";
import { encodePlan, MAX_PLAN_BYTES } from "../protocol/confinement-wire.js";
import type { Addon, AddonChannel } from "./addon.js";
import { type ChildExit, type LaunchFailure, parseLauncherMessage } from "./launcher-wire.js";

/** A confined process. Everything in it ends with its program. */
export interface Child {
  readonly pid: number;
  /** What is in force, by layer, as the launcher reported it. */
  readonly enforced: Readonly<Record<string, string>>;
  /** Listening sockets of its network namespace, in the plan's order; they belong to the caller. */
  readonly listeners: readonly number[];
  /** Never rejects. */
  readonly exited: Promise<ChildExit>;
  /** SIGKILL (the default) ends the whole sandbox; another signal goes to its program. */
  readonly kill: (signal?: NodeJS.Signals) => void;
}

export type LaunchResult = { readonly ok: true; readonly child: Child } | LaunchFailure;

export interface SpawnerOptions {
  /** Path of `aaos-spawn`. */
  readonly binary: string;
  readonly addon: Addon;
  /** Called once if the launcher ends by itself; every child is dead then. */
  readonly onLost?: () => void;
  /** For the conformance suite: changes the written plan. Only the test build of the launcher understands more than a plan. */
  readonly amendPlanForTest?: (plan: string) => string;
}

export interface Spawner {
  readonly pid: number;
  /**
   * Launches under the plan. `fds` (3 to 16) become 0, 1, 2, … of the program and are taken over, whatever comes of it. An abort
   * kills, during the launch and after.
   */
  readonly spawn: (
    plan: ConfinementPlan,
    fds: readonly number[],
    signal: AbortSignal,
  ) => Promise<LaunchResult>;
  /** Kills every child; resolves when the launcher is gone. */
  readonly close: () => Promise<void>;
}

/** Starts `aaos-spawn`. Call it first thing, on the main thread, while this process is small. */
export function startSpawner(options: SpawnerOptions): Spawner {
  return new Launcher(options);
}

const LOST: LaunchFailure = { ok: false, step: "launcher", errno: "EPIPE", detail: "it has ended" };
const KILLED: ChildExit = {
  exit_code: null,
  signal: "SIGKILL",
  user_us: 0,
  system_us: 0,
  max_rss_bytes: 0,
  memory_peak_bytes: 0,
  cpu_us: 0,
  oom_kills: 0,
  execs_refused: 0,
};

/** One launch, from the request to the end of its child. */
interface Entry {
  readonly launch: Settled<LaunchResult>;
  readonly exit: Settled<ChildExit>;
  readonly unlisten: () => void;
}

class Launcher implements Spawner {
  readonly pid: number;
  readonly #options: SpawnerOptions;
  readonly #channel: AddonChannel;
  readonly #entries = new Map<number, Entry>();
  readonly #gone = settled<void>();
  #nextId = 1;
  #state: "open" | "closing" | "gone" = "open";

  constructor(options: SpawnerOptions) {
    this.#options = options;
    const { fd, pid } = options.addon.startLauncher(options.binary);
    this.pid = pid;
    this.#channel = new options.addon.Channel(fd, (text, fds) => {
      if (text === null) this.#onGone();
      else this.#onMessage(text, fds);
    });
    this.#channel.unref();
  }

  spawn(plan: ConfinementPlan, fds: readonly number[], signal: AbortSignal): Promise<LaunchResult> {
    const amend = this.#options.amendPlanForTest ?? ((text: string) => text);
    const text = amend(encodePlan(plan));
    const refused = this.#state === "open" ? refusal(text, signal) : LOST;
    if (refused !== null) {
      for (const unused of fds) this.#options.addon.closeFd(unused);
      return Promise.resolve(refused);
    }
    const id = this.#nextId++;
    const onAbort = () => this.#kill(id, "SIGKILL");
    signal.addEventListener("abort", onAbort, { once: true });
    const entry: Entry = {
      launch: settled(),
      exit: settled(),
      unlisten: () => signal.removeEventListener("abort", onAbort),
    };
    this.#entries.set(id, entry);
    this.#channel.ref();
    this.#channel.send(`spawn ${id}\n${text}`, fds);
    return entry.launch.promise;
  }

  async close(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closing";
      this.#channel.ref();
      this.#channel.send("close\n", []);
    }
    await this.#gone.promise;
  }

  #kill(id: number, signal: NodeJS.Signals): void {
    if (this.#entries.has(id)) this.#channel.send(`kill ${id} ${constants.signals[signal]}\n`, []);
  }

  #onMessage(text: string, fds: readonly number[]): void {
    const message = parseLauncherMessage(text);
    const entry = this.#entries.get(message.id);
    if (entry === undefined) throw new TypeError(`the launcher knows no launch ${message.id}`);
    switch (message.type) {
      case "started": {
        const [pidfd = -1, ...listeners] = fds;
        this.#options.addon.closeFd(pidfd);
        const { id, pid, enforced } = message;
        const kill = (signal: NodeJS.Signals = "SIGKILL") => this.#kill(id, signal);
        const child = { pid, enforced, listeners, exited: entry.exit.promise, kill };
        entry.launch.resolve({ ok: true, child });
        break;
      }
      case "failed":
        this.#end(message.id, entry, message.failure, KILLED);
        break;
      case "exited":
        this.#end(message.id, entry, LOST, message.exit);
        break;
      default:
        assertNever(message);
    }
  }

  /** Settles whatever of the entry is still waiting. */
  #end(id: number, entry: Entry, failure: LaunchFailure, exit: ChildExit): void {
    this.#entries.delete(id);
    entry.unlisten();
    entry.launch.resolve(failure);
    entry.exit.resolve(exit);
    if (this.#entries.size === 0 && this.#state === "open") this.#channel.unref();
  }

  #onGone(): void {
    const lost = this.#state === "open";
    this.#state = "gone";
    for (const [id, entry] of this.#entries) this.#end(id, entry, LOST, KILLED);
    this.#options.addon.reap(this.pid);
    this.#gone.resolve();
    if (lost) this.#options.onLost?.();
  }
}

function refusal(text: string, signal: AbortSignal): LaunchFailure | null {
  if (signal.aborted) return { ok: false, step: "aborted", errno: "ECANCELED", detail: "" };
  if (text.length <= MAX_PLAN_BYTES) return null;
  return { ok: false, step: "plan", errno: "E2BIG", detail: `${text.length} bytes` };
}

/** A promise that is settled from outside; settling it again changes nothing. */
interface Settled<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function settled<T>(): Settled<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
