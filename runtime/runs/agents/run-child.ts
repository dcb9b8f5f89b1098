import { isLetGo } from "../../agent/let-go.js";
import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { AgentReport, AgentSpec } from "../../protocol/agents-port.js";
import type { PortFailure, PortResult } from "../../protocol/ports.js";
import { NOTHING_YET } from "../agent-history.js";
import type { AgentHome, LiveAgent } from "../run-context.js";
import { type EndReason, type SpawnedAgent, spawnAgent } from "../spawn-agent.js";
import { stoppable } from "../stoppable.js";
import { answer, ask, reportOf } from "./answer.js";

/**
 * One child from its birth to its end: whatever its manifest says of its life, it is gone when it has answered. It lives where its
 * parent lives, spends what its parent may spend, and holds what is cut from what its parent holds.
 */
export async function runChild(
  parent: LiveAgent,
  spec: AgentSpec,
  message: string,
  signal: AbortSignal,
): Promise<PortResult<AgentReport>> {
  const home = childHome(parent, spec);
  const { agents, spawn_depth } = home.deps.policy.limits;
  if (home.depth > spawn_depth)
    return refused(`agents may be ${spawn_depth} deep (limits.spawn_depth of policy.yaml)`);
  using slot = home.shared.agentSlots.tryTake();
  if (slot === undefined)
    return unavailable(`${agents} agents are at work (limits.agents of policy.yaml)`);
  let child: SpawnedAgent;
  try {
    child = await spawnAgent(home, {
      name: spec.name,
      model: home.deps.models.resolve(spec.manifest.model).model,
      grants: spec.grants,
      parent: parent.id,
      birth: { lifecycle: "ephemeral" },
    });
  } catch (thrown) {
    return notBorn(thrown);
  }
  const [stopped, written] = stoppable(home.shared, child.id);
  try {
    const history = await ask(child, spec, NOTHING_YET, message);
    const until = AbortSignal.any([signal, stopped]);
    const outcome = await answer(child, spec, history, until);
    await say(child, outcome.stop_reason === "complete" ? "completed" : "error", outcome.message);
    return { ok: true, value: reportOf(child.id, outcome) };
  } catch (thrown) {
    if (isLetGo(signal.aborted ? signal.reason : thrown)) await child.letGo();
    else await say(child, "error", errorText(thrown));
    throw thrown;
  } finally {
    written();
  }
}

function childHome({ home }: LiveAgent, { manifest, name }: AgentSpec): AgentHome {
  const { shared } = home;
  const { budget_config: budget } = manifest;
  const opening = {
    scope: "agent" as const,
    label: `the child ${name}`,
    limits: { tokens: budget?.max_tokens },
  };
  return {
    ...home,
    depth: home.depth + 1,
    memory: manifest.memory,
    rules: {
      ...home.rules,
      required: new Set([...home.rules.required, ...manifest.approval_required]),
    },
    account: budget === undefined ? home.account : shared.budgets.open(opening, home.account),
  };
}

async function say(child: SpawnedAgent, reason: EndReason, message?: string): Promise<void> {
  const farewell = await child.end(reason, message);
  await child.home.deps.journal.append(farewell);
}

function notBorn(thrown: unknown): PortFailure {
  if (!(thrown instanceof AgentdError)) throw thrown;
  if (thrown.code !== "denied") return unavailable(thrown.message);
  const message = `the child was not started: ${thrown.message}`;
  return { ok: false, kind: "denied", message, denial: { layer: "token", message } };
}

function refused(message: string): PortFailure {
  return { ok: false, kind: "denied", message, denial: { layer: "policy", message } };
}

function unavailable(message: string): PortFailure {
  return { ok: false, kind: "unavailable", message };
}
