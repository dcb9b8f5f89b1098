import { createInterface } from "node:readline/promises";
import type { Writable } from "node:stream";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Command } from "./command.js";

/** Asks on the terminal; throws `usage` where there is none, for silence is no consent. */
export async function agrees({ io, json }: Command, question: string): Promise<boolean> {
  if (json || io.stdin.isTTY !== true)
    throw new AgentdError("usage", "ask", "there is no terminal to ask on", {
      hint: "Give --yes to do it without a question.",
    });
  // On a terminal standard output is the process's own stream.
  const lines = createInterface({ input: io.stdin, output: io.stdout as unknown as Writable });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
