import { z } from "zod";

/** One agent: a conversation with a model under a token set. The states are the seed's. */
export const AgentState = z.enum(["starting", "running", "paused", "stopping", "stopped"]);
export type AgentState = z.infer<typeof AgentState>;

export const AgentMove = z.enum(["ready", "pause", "resume", "stop", "ended"]);
export type AgentMove = z.infer<typeof AgentMove>;

const LEGAL: Readonly<Record<AgentState, Readonly<Partial<Record<AgentMove, AgentState>>>>> = {
  starting: { ready: "running", stop: "stopping", ended: "stopped" },
  running: { pause: "paused", stop: "stopping", ended: "stopped" },
  paused: { resume: "running", stop: "stopping", ended: "stopped" },
  stopping: { ended: "stopped" },
  stopped: {},
};

/** The state after `move`, or undefined where the move is illegal. Pure. */
export function transitionAgent(state: AgentState, move: AgentMove): AgentState | undefined {
  return LEGAL[state][move];
}

/** How long an agent lives: for one piece of work of its step or parent, or until it is stopped. */
export const AgentLifecycle = z.enum(["ephemeral", "on-demand", "persistent", "scheduled"]);
export type AgentLifecycle = z.infer<typeof AgentLifecycle>;

/** Why an agent's loop ended. Only `complete` can be a success. */
export const StopReason = z.enum([
  "complete",
  "max_iterations",
  "max_tokens",
  "truncated",
  "blank",
  "error",
  "timeout",
  "cancelled",
  "budget_exceeded",
]);
export type StopReason = z.infer<typeof StopReason>;
