import type { Writable } from "node:stream";
import { isCancel, select } from "@clack/prompts";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ApprovalSummary } from "../protocol/approval.js";
import type { Frame } from "../protocol/control.js";
import type { Client } from "./client.js";
import type { Command } from "./command.js";
import { plainLine } from "./plain-text.js";
import type { RunView } from "./run-view.js";

/** Whether somebody sits there who can be asked. */
export function canAsk({ io, json }: Command): boolean {
  return !json && io.stdin.isTTY === true && io.stdout.isTTY === true;
}

/** Where the frame says that something waits for an operator, and it still does: asks in place, and passes the answer on. */
export async function askInPlace(
  command: Command,
  client: Client,
  view: RunView,
  frame: Frame,
): Promise<void> {
  if (frame.kind !== "event" || frame.event.kind !== "human_approval_requested") return;
  const { pending } = await client.call("approval.list", {}, command.signal);
  const approval = pending.find(({ id }) => id === frame.event["approval_id"]);
  if (approval === undefined) return;
  view.suspend();
  try {
    const answer = await ask(command, approval);
    if (answer !== undefined) await client.call("approval.respond", { id: approval.id, ...answer });
  } catch (thrown) {
    // Answered meanwhile by somebody else, or too late: the run has gone on by that answer.
    if (!(thrown instanceof AgentdError && thrown.code === "illegal_transition")) throw thrown;
    command.io.stderr.write(`agentd: ${plainLine(thrown.message)}\n`);
  } finally {
    view.resume();
  }
}

interface Decided {
  readonly decision: "approve" | "deny";
  readonly scope?: "once" | "run";
}

/** Undefined where the operator leaves it for later: it waits on, and `agentd approvals` has it. */
async function ask(
  { io, signal }: Command,
  approval: ApprovalSummary,
): Promise<Decided | undefined> {
  const { capability, description, input, subject } = approval;
  const what = capability === null ? `${approval.tool} ${JSON.stringify(input)}` : capability;
  const once = subject === "budget" ? "as much again" : "this call";
  const answer = await select({
    input: io.stdin,
    output: io.stdout as unknown as Writable,
    signal,
    message: `${plainLine(description)}\n${plainLine(what).slice(0, 1_000)}`,
    options: [
      { value: "once" as const, label: "Allow once", hint: once },
      { value: "run" as const, label: "Allow for this run" },
      { value: "deny" as const, label: "Deny" },
      { value: "later" as const, label: "Later", hint: "agentd approvals has it" },
    ],
  });
  if (isCancel(answer) || answer === "later") return undefined;
  return answer === "deny" ? { decision: "deny" } : { decision: "approve", scope: answer };
}
