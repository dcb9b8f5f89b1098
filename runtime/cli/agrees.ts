import { AgentdError } from "../protocol/agentd-error.js";
import { askLine } from "./ask-line.js";
import type { Command } from "./command.js";

/** Asks on the terminal; throws `usage` where there is none, for silence is no consent. */
export async function agrees(command: Command, question: string): Promise<boolean> {
  const { io, json } = command;
  if (json || io.stdin.isTTY !== true)
    throw new AgentdError("usage", "ask", "there is no terminal to ask on", {
      hint: "Give --yes to do it without a question.",
    });
  return /^y(es)?$/i.test(await askLine(command, `${question} [y/N] `));
}
