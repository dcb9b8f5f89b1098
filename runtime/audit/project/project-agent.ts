import { type AgentMove, type AgentState, transitionAgent } from "../../protocol/agent.js";
import type { Database } from "../../store/open.js";
import { canonicalJson } from "../chain.js";
import { type Handlers, illegal, needed, unknownId } from "./handler.js";

type AgentKinds =
  | "agent_spawned"
  | "agent_execution_started"
  | "agent_loop_started"
  | "agent_moved"
  | "agent_stopped"
  | "usage_reported";

/** The table `agents`: spawned, ready with the first message or when its loop starts, ended when it stopped. */
export function agentHandlers(db: Database): Handlers<AgentKinds> {
  const { move, ready } = agentStates(db);
  const unread = db.prepare("DELETE FROM mailbox WHERE agent_id = ?");
  const end = db.prepare(
    "UPDATE agents SET ended_at = ?, stop_reason = ?, stop_message = ? WHERE agent_id = ?",
  );
  return {
    agent_spawned: birthProjection(db),
    agent_execution_started: (event) => {
      ready(needed(event.agent_id, "agent_id", event.kind));
    },
    agent_loop_started: (event) => {
      ready(needed(event.agent_id, "agent_id", event.kind));
    },
    agent_moved: (event) => {
      move(needed(event.agent_id, "agent_id", event.kind), event.move);
    },
    agent_stopped: (event) => {
      const agentId = needed(event.agent_id, "agent_id", event.kind);
      move(agentId, "ended");
      unread.run(agentId);
      end.run(event.time, event.reason, event.message ?? null, agentId);
    },
    usage_reported: usageProjection(db),
  };
}

function agentStates(db: Database) {
  const select = db.prepare<[string], { state: AgentState }>(
    "SELECT state FROM agents WHERE agent_id = ?",
  );
  const setState = db.prepare("UPDATE agents SET state = ? WHERE agent_id = ?");
  const stateOf = (agentId: string): AgentState => {
    const row = select.get(agentId);
    if (row === undefined) throw unknownId("agent", agentId);
    return row.state;
  };
  const move = (agentId: string, step: AgentMove): void => {
    const state = stateOf(agentId);
    const next = transitionAgent(state, step);
    if (next === undefined)
      throw illegal(`agent ${agentId} is ${state}: '${step}' is no legal move`);
    setState.run(next, agentId);
  };
  /** An agent that runs already takes another message without a move. */
  const ready = (agentId: string): void => {
    if (stateOf(agentId) !== "running") move(agentId, "ready");
  };
  return { move, ready };
}

function birthProjection(db: Database): Handlers<"agent_spawned">["agent_spawned"] {
  const select = db.prepare("SELECT 1 FROM agents WHERE agent_id = ?");
  const insert = db.prepare(
    `INSERT INTO agents (agent_id, spawned_seq, run_id, step_id, parent_agent, name, model, state, started_at,
       lifecycle, owner_uid, manifest)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'starting', ?, ?, ?, ?)`,
  );
  const ofStep = db.prepare("UPDATE steps SET agent_id = ? WHERE run_id = ? AND step_id = ?");
  return (event) => {
    const agentId = needed(event.agent_id, "agent_id", event.kind);
    if (select.get(agentId) !== undefined) throw illegal(`agent ${agentId} was spawned before`);
    const { seq, run_id = null, step_id = null, manifest_name, model, time } = event;
    const { parent_agent = null, lifecycle = "ephemeral", owner_uid = null, manifest } = event;
    if (parent_agent !== null && select.get(parent_agent) === undefined)
      throw unknownId("agent", parent_agent);
    const kept = manifest === undefined ? null : canonicalJson(manifest);
    const belongsTo = [run_id, step_id, parent_agent];
    const life = [lifecycle, owner_uid, kept];
    insert.run(agentId, seq, ...belongsTo, manifest_name, model, time, ...life);
    if (run_id !== null && step_id !== null && parent_agent === null)
      ofStep.run(agentId, run_id, step_id);
  };
}

/** Tokens and money add up on the run, the step and the agent that the event names; a planner's call has no step and no agent. */
function usageProjection(db: Database): Handlers<"usage_reported">["usage_reported"] {
  const add =
    "SET input_tokens = input_tokens + ?, output_tokens = output_tokens + ?, usd = usd + ?";
  const toRun = db.prepare(`UPDATE runs ${add} WHERE run_id = ?`);
  const toStep = db.prepare(`UPDATE steps ${add} WHERE run_id = ? AND step_id = ?`);
  const toAgent = db.prepare(`UPDATE agents ${add} WHERE agent_id = ?`);
  return (event) => {
    const { input_tokens, output_tokens, usd, run_id, step_id, agent_id } = event;
    if (run_id !== undefined) toRun.run(input_tokens, output_tokens, usd, run_id);
    if (run_id !== undefined && step_id !== undefined)
      toStep.run(input_tokens, output_tokens, usd, run_id, step_id);
    if (agent_id !== undefined) toAgent.run(input_tokens, output_tokens, usd, agent_id);
  };
}
