import { createRequire } from "node:module";
import { AgentdError } from "../protocol/agentd-error.js";

/** A message socket to the launcher; descriptors given to `send` are taken over. */
export interface AddonChannel {
  send(text: string, fds: readonly number[]): void;
  close(): void;
  ref(): void;
  unref(): void;
}

/** Who connected to a Unix socket, as the kernel knows it. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** What `native/src/addon.cc` offers. Every descriptor it makes closes on exec; system errors are thrown with `code`. */
export interface Addon {
  /** Must be called on the main thread: the launcher dies with the thread that started it. */
  readonly startLauncher: (path: string) => { readonly fd: number; readonly pid: number };
  readonly reap: (pid: number) => number | null;
  /** Owns `fd`. Calls with null once the other side is gone; descriptors that arrive belong to the callback. */
  readonly Channel: new (
    fd: number,
    onMessage: (text: string | null, fds: readonly number[]) => void,
  ) => AddonChannel;
  readonly peerCredentials: (fd: number) => PeerCredentials;
  /** The number of a group by its name; null where there is none. */
  readonly groupId: (name: string) => number | null;
  /**
   * One datagram to a Unix socket; `@` begins an abstract name. Never waits: false where the receiver is behind.
   */
  readonly sendDatagram: (path: string, text: string) => boolean;
  /** False when the process is gone. */
  readonly sendSignal: (pidfd: number, signal: number) => boolean;
  /** What the running kernel knows; 0 where Landlock is missing or switched off. */
  readonly landlockAbi: () => number;
  readonly pipe: () => readonly [readEnd: number, writeEnd: number];
  readonly socketPair: () => readonly [ours: number, theirs: number];
  readonly closeFd: (fd: number) => void;
}

/** Loads the native addon. Throws `unavailable` where it is missing or was built for another Node. */
export function loadAddon(path: string): Addon {
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw unloadable(path, cause);
  }
}

function unloadable(path: string, cause: unknown): AgentdError {
  const hint = "Run `npm run build:native`, or reinstall the package aaos.";
  const message = `the native addon ${path} does not load`;
  return new AgentdError("unavailable", "load addon", message, { hint, cause });
}
