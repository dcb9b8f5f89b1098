import { join } from "node:path";
import type { AgentLifecycle } from "../../protocol/agent.js";
import type { AgentSpec } from "../../protocol/agents-port.js";
import type { AgentId } from "../../protocol/ids.js";
import { addUsage, NO_USAGE } from "../../protocol/model.js";
import { approvalRules } from "../approvals/approval-rules.js";
import { type Account, spentOf } from "../budgets/account.js";
import { callDeadline } from "../calls/deadline.js";
import type { EngineDeps } from "../deps.js";
import { readEvents } from "../read-events.js";
import type { AgentHome, Shared } from "../run-context.js";
import type { SpawnedAgent } from "../spawn-agent.js";

/** An agent that lives until it is stopped. While it has nothing to do it is a row and this, and no process. */
export interface Living {
  readonly id: AgentId;
  readonly spec: AgentSpec;
  readonly lifecycle: AgentLifecycle;
  /** Whose it is. */
  readonly owner_uid: number | null;
  readonly spawned_seq: number | undefined;
  readonly account: Account;
  /** Ends it: with the reason of its end, or with `LetGo`. */
  readonly stop: AbortController;
  /** Lets go of it at the next turn or call; another one after it was resumed. */
  rest: AbortController;
  paused: boolean;
  /** Messages that are being put into its mailbox and do not lie there yet. */
  arriving: number;
  answered: number;
  /** Its one loop, while there is something to do. Never rejects. */
  loop: Promise<void> | undefined;
  /** While it works: with its ports open. */
  live: SpawnedAgent | undefined;
}

export function homeOf(living: Living, deps: EngineDeps, shared: Shared): AgentHome {
  const { id, spec, account, rest } = living;
  return {
    ...{ deps, shared, account },
    dir: join(deps.workspaceBase, id),
    of: {},
    depth: 0,
    memory: spec.manifest.memory,
    rules: approvalRules(spec.manifest, deps.settings),
    flow: id,
    deadline: () => callDeadline(deps.entropy.now()),
    rest: rest.signal,
  };
}

/** What the agent may spend in a period, with what it has spent in this one. */
export function openAgentAccount(
  id: AgentId,
  { name, manifest }: AgentSpec,
  { entropy, reader }: EngineDeps,
  { budgets }: Shared,
): Account {
  const { budget_config: budget } = manifest;
  const periodMs = (budget?.reset_period_seconds ?? 0) * 1_000 || undefined;
  const now = entropy.now();
  const began = periodMs === undefined ? 0 : now - (now % periodMs);
  let usage = NO_USAGE;
  if (budget !== undefined) {
    const since = new Date(began).toISOString();
    for (const event of readEvents(reader, ["usage_reported"], { agent_id: id, since }))
      usage = addUsage(usage, event);
  }
  return budgets.open(
    {
      scope: "agent",
      label: `agent ${name}`,
      limits: { tokens: budget?.max_tokens },
      spent: spentOf(usage),
      periodMs,
    },
    budgets.day,
  );
}
