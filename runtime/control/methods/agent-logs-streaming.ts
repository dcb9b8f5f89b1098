import { AgentdError } from "../../protocol/agentd-error.js";
import type { Frame } from "../../protocol/control.js";
import type { AgentId } from "../../protocol/ids.js";
import type { ControlDeps } from "../deps.js";
import { findAgent } from "../find-id.js";
import type { StoredEvent } from "../follow.js";
import { framesUntil } from "../frames-until.js";
import type { StreamHandler } from "../handler.js";

/** One agent's events from its first on; with `follow` until it has stopped, else until nothing is newer. */
export function agentLogsStreaming(deps: ControlDeps): StreamHandler<"agent.logs_streaming"> {
  return async function* ({ agent_id, follow }, { signal }) {
    const id = findAgent(deps.reader, agent_id);
    let failed = false;
    const ending = {
      mayEnd: (event: StoredEvent) => {
        failed ||= follow && tellsFailure(event);
        return event.kind === "agent_stopped";
      },
      hasEnded: () => !follow || agentOf(deps, id).state === "stopped",
    };
    yield* framesUntil(ending, { source: deps, filter: { agent_id: id }, afterSeq: 0 }, signal);
    if (!signal.aborted) yield endFrame(deps, id, failed);
  };
}

function tellsFailure(event: StoredEvent): boolean {
  if ("erased" in event) return false;
  if (event.kind === "agent_execution_completed") return event.stop_reason !== "complete";
  return event.kind === "agent_stopped" && (event.reason === "error" || event.reason === "timeout");
}

function agentOf({ reader }: ControlDeps, id: AgentId) {
  const agent = reader.agent(id);
  if (agent === undefined) throw new AgentdError("unknown_id", "follow agent", `no agent ${id}`);
  return agent;
}

function endFrame(deps: ControlDeps, id: AgentId, failed: boolean): Frame {
  const agent = agentOf(deps, id);
  const until = agent.ended_at === null ? Date.now() : Date.parse(agent.ended_at);
  return {
    kind: "end",
    exit_code: failed ? 1 : 0,
    ...(agent.run_id === null ? {} : { run_id: agent.run_id }),
    state: agent.state,
    ...agent.usage,
    elapsed_ms: Math.max(0, until - Date.parse(agent.started_at)),
  };
}
