import type { Json } from "../protocol/json.js";
import type { Setup } from "./attempt.js";

/** An attempt through a real tool of an agent: tokens, ledger, journal, confined ports. `{base}` is the directory it is about. */
export interface ToolAttempt {
  readonly id: string;
  readonly title: string;
  /** The agent's tokens in the written form; without them `TOOL_GRANTS`. */
  readonly grants?: readonly string[];
  readonly tool: string;
  readonly input: Readonly<Record<string, Json>>;
  /** `ok`, `exit N` or a signal for a program that ran, else the error's kind and the layer that refused: `denied token`. */
  readonly expect: string;
  /** The answer where the check of the tokens is left out, so that the kernel alone answers; null: not tried. */
  readonly unchecked: string | null;
  /** The same without any confinement, by a shell of the host: must end with 0. Null where there is no such thing. */
  readonly bare: string | null;
  readonly setup?: readonly ToolSetup[];
  /** Whatever the tool says: this must not be there afterwards. */
  readonly absent?: { readonly path: string; readonly after_ms: number };
  /** Tokens that are revoked while the call is under way. */
  readonly revoke?: string;
  readonly control?: true;
  /** It is allowed and stays so, for this reason. */
  readonly accepted?: string;
}

/** `addon` is a shared object that Node would load; `git-config` is written by the git of the host. */
export type ToolSetup =
  | Setup
  | { readonly make: "addon" | "fifo"; readonly path: string }
  | {
      readonly make: "git-config";
      readonly path: string;
      readonly name: string;
      readonly value: string;
    };

/** Reads one tree, reads and writes another, only writes a third; a shell, and what it needs to try something. */
export const TOOL_GRANTS: readonly string[] = [
  "file_read: {base}/in/*",
  "file_read: {base}/out/*",
  "file_write: {base}/out/*",
  "file_write: {base}/box/*",
  "exec: sh",
  "exec: cat",
  "exec: ls",
  "exec: cp",
  "exec: ln",
  "exec: mv",
  "exec: mkdir",
  "exec: chmod",
  "exec: touch",
  "exec: sleep",
  "exec: git",
  "exec: rg",
  "exec: node",
  "exec: python3",
];
