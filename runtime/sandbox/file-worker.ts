import { openSync, statSync } from "node:fs";
import { basename } from "node:path";
import { errnoOf } from "../base/error-text.js";
import type { Compiled } from "../protocol/compile.js";
import { PlanPath } from "../protocol/confinement.js";
import {
  decodeList,
  decodeRead,
  decodeStat,
  decodeWritten,
  type FileRequest,
  MAX_CONTENT_BYTES,
  MAX_READ_BYTES,
} from "../protocol/file-worker-wire.js";
import type { FileContent, FilesPort, PortFailure, PortResult } from "../protocol/ports.js";
import { type Enforced, type Machine, notCompiled, notLaunched } from "./confined-agent.js";
import { type FileChannel, openFileChannel } from "./file-channel.js";
import { interpretReply } from "./interpret-reply.js";
import { portFailure } from "./port-failure.js";
import type { Child } from "./spawner.js";

export interface FileWorkerOptions {
  readonly machine: Pick<Machine, "spawner" | "addon">;
  /** The plan in force now; asked at every launch. Its argv names the grants (`native/src/file_grants.h`). */
  readonly compile: () => Promise<Compiled>;
  /** A worker that was asked nothing for so long is ended; the next call starts another. */
  readonly idleMs: number;
}

/** The file port of one agent: one warm confined worker, started when first needed. */
export interface FileWorker {
  readonly port: FilesPort;
  /** Starts it ahead of the first call. False where it cannot be launched; calls then say why. */
  readonly warm: (signal: AbortSignal) => Promise<boolean>;
  /** A token was taken away: the worker is killed at once, calls in flight fail, the next call launches under the new plan. */
  readonly invalidate: () => void;
  /** More is granted: the next call launches under the new plan, calls in flight end under the old one. */
  readonly renew: () => void;
  /** What confines it, or confined the last one; null before the first. */
  readonly enforced: () => Enforced | null;
  readonly isRunning: () => boolean;
  readonly close: () => Promise<void>;
}

interface Running {
  readonly channel: FileChannel;
  readonly child: Child;
  /** The paths that its plan took as they stood, and what stood there. */
  readonly stamps: ReadonlyMap<string, string>;
}

type Started = { readonly ok: true; readonly running: Running } | PortFailure;

export function createFileWorker(options: FileWorkerOptions): FileWorker {
  return new Worker(options);
}

class Worker implements FileWorker {
  readonly port: FilesPort;
  readonly #options: FileWorkerOptions;
  #starting: Promise<Started> | null = null;
  #running: Running | null = null;
  #enforced: Enforced | null = null;
  #idle: NodeJS.Timeout | null = null;
  #lifetime = new AbortController();
  #closed = false;

  constructor(options: FileWorkerOptions) {
    this.#options = options;
    this.port = {
      read: (file, range, signal) => this.#read(file.path, range, signal),
      list: (path, maxEntries, signal) => this.#list(path.path, maxEntries, signal),
      write: async (file, content, signal) => {
        const verb = content.append ? "append" : "replace";
        if (content.bytes.length > MAX_CONTENT_BYTES)
          return portFailure(
            "too_large",
            `${file.path}: one write takes ${MAX_CONTENT_BYTES} bytes`,
          );
        const answer = await this.#ask({ verb, path: file.path, content: content.bytes }, signal);
        return answer.ok
          ? { ok: true, value: { bytes_written: decodeWritten(answer.value) } }
          : answer;
      },
    };
  }

  async warm(signal: AbortSignal): Promise<boolean> {
    const started = await this.#start(signal);
    this.#rest();
    return started.ok;
  }

  enforced(): Enforced | null {
    return this.#enforced;
  }

  isRunning(): boolean {
    return this.#running?.channel.isOpen() === true;
  }

  renew(): void {
    this.#lifetime = new AbortController();
    this.#starting = null;
    const old = this.#running;
    this.#running = null;
    if (old !== null) endWhenDone(old);
  }

  invalidate(): void {
    this.#lifetime.abort();
    this.#lifetime = new AbortController();
    this.#starting = null;
    this.#stop();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const exited = this.#running?.child.exited;
    const starting = this.#starting;
    this.invalidate();
    await starting;
    await exited;
  }

  /** A directory's entries; of a file, the file itself. */
  async #list(
    path: string,
    maxEntries: number,
    signal: AbortSignal,
  ): ReturnType<FilesPort["list"]> {
    const listed = await this.#ask({ verb: "list", path, max_entries: maxEntries }, signal);
    if (!listed.ok) return listed;
    const { kind, truncated, entries } = decodeList(listed.value);
    if (kind === "dir") return { ok: true, value: { kind, truncated, entries } };
    const found = await this.#ask({ verb: "stat", path }, signal);
    if (!found.ok) return found;
    const entry = { name: basename(path), ...decodeStat(found.value) };
    return { ok: true, value: { kind: "file", truncated: false, entries: [entry] } };
  }

  /** At most `max_bytes`; what is more than one frame holds is asked for piece by piece. */
  async #read(
    path: string,
    range: { readonly offset_bytes: number; readonly max_bytes: number },
    signal: AbortSignal,
  ): Promise<PortResult<FileContent>> {
    const parts: Uint8Array[] = [];
    let left = range.max_bytes;
    let offset = range.offset_bytes;
    for (;;) {
      const wanted = Math.min(left, MAX_READ_BYTES);
      const answer = await this.#ask(
        { verb: "read", path, offset_bytes: offset, max_bytes: wanted },
        signal,
      );
      if (!answer.ok) return answer;
      const { bytes, size_bytes } = decodeRead(answer.value);
      parts.push(bytes);
      left -= bytes.length;
      offset += bytes.length;
      if (bytes.length < wanted || left === 0) {
        const whole = parts.length === 1 ? bytes : Buffer.concat(parts);
        return { ok: true, value: { bytes: whole, size_bytes } };
      }
    }
  }

  async #ask(request: FileRequest, signal: AbortSignal): Promise<PortResult<Uint8Array>> {
    if (!PlanPath.safeParse(request.path).success)
      return portFailure("failed", `${request.path}: not an absolute, normalised path`);
    const started = await this.#start(signal);
    if (!started.ok) return started;
    const { running } = started;
    const reply = await running.channel.ask(request, signal);
    if (running === this.#running) this.#rest();
    else endWhenDone(running);
    return reply === null
      ? portFailure("unavailable", `${request.path}: the file worker ended before it answered`)
      : interpretReply(request, reply);
  }

  /** The worker for a call that begins now. A launch that the agent's tokens overtook is begun again under the new ones. */
  async #start(signal: AbortSignal): Promise<Started> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) return portFailure("unavailable", "the agent has ended");
      if (this.#idle !== null) clearTimeout(this.#idle);
      this.#idle = null;
      if (this.#running?.channel.isOpen() === true) {
        if (isCurrent(this.#running)) return { ok: true, running: this.#running };
        this.renew();
      }
      const lifetime = this.#lifetime;
      this.#starting ??= this.#launch(lifetime);
      const started = await this.#starting;
      if (started.ok || lifetime === this.#lifetime) return started;
    }
  }

  async #launch(lifetime: AbortController): Promise<Started> {
    const started = await this.#tryLaunch(lifetime.signal);
    // Of another generation: the tokens changed meanwhile, and a launch under the new ones may be under way already.
    if (lifetime !== this.#lifetime) {
      if (started.ok) stop(started.running);
      return portFailure("unavailable", "the file worker was not launched: the grants changed");
    }
    this.#starting = null;
    if (started.ok) {
      this.#running = started.running;
      this.#enforced = started.running.child.enforced;
    }
    return started;
  }

  async #tryLaunch(lifetime: AbortSignal): Promise<Started> {
    const { machine, compile } = this.#options;
    const compiled = await compile();
    if (!compiled.ok) return notCompiled(compiled);
    const stamps = new Map(compiled.depends_on.map((path) => [path, stampOf(path)]));
    const [ours, theirs] = machine.addon.socketPair();
    const fds = [openNull(), openNull(), openNull(), theirs];
    const result = await machine.spawner.spawn(compiled.plan, fds, lifetime);
    if (!result.ok) {
      machine.addon.closeFd(ours);
      return notLaunched("the file worker", result);
    }
    return {
      ok: true,
      running: { channel: openFileChannel(ours), child: result.child, stamps },
    };
  }

  /** Starts the idle clock once nothing is in flight. */
  #rest(): void {
    if (this.#running === null || this.#running.channel.pending() > 0) return;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stop(), this.#options.idleMs);
    this.#idle.unref();
  }

  #stop(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#running !== null) stop(this.#running);
    this.#running = null;
  }
}

function stop({ child, channel }: Running): void {
  child.kill();
  channel.close();
}

/** Lets a worker that takes no new calls answer those it has. */
function endWhenDone(running: Running): void {
  if (running.channel.pending() === 0) stop(running);
}

/** Which file or directory stands at a path, or that none does. */
function stampOf(path: string): string {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? "absent" : `${found.dev}:${found.ino}`;
  } catch (thrown) {
    return errnoOf(thrown) ?? "unknown";
  }
}

function isCurrent({ stamps }: Running): boolean {
  for (const [path, stamp] of stamps) if (stampOf(path) !== stamp) return false;
  return true;
}

function openNull(): number {
  return openSync("/dev/null", "r+");
}
