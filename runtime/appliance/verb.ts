import type { SystemParams, SystemResult, SystemVerbName } from "../protocol/system-verbs.js";
import type { Machine } from "./machine.js";

/** What a verb works with. It has no other way to the machine, so that a test can give it another one. */
export interface VerbContext {
  readonly machine: Machine;
  /** Tells the one who asked how far it is. */
  readonly progress: (text: string) => void;
  /** Aborts when the service is told to end. The caller's leaving does not abort: half a change is worse than a whole one. */
  readonly signal: AbortSignal;
}

/** What a verb of the root service works with besides. */
export interface VerbCall extends VerbContext {
  /** Hands bytes to the one who asked; settles when they have been taken. Throws where nobody takes them any more. */
  readonly sendBytes: (bytes: Buffer) => Promise<void>;
}

/** One thing that root does for an admin. Throws `AgentdError` where it cannot; then nothing has changed, or the message says what. */
export type Verb<V extends SystemVerbName, Context = VerbContext> = (
  params: SystemParams<V>,
  context: Context,
) => Promise<SystemResult<V>>;

/** A file for every verb of the protocol; a missing one does not compile. */
export type Verbs = { readonly [V in SystemVerbName]: Verb<V, VerbCall> };
