import { join } from "node:path";
import { LetGo } from "../agent/let-go.js";
import { ulid } from "../base/ulid.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { NewEvent } from "../protocol/event.js";
import { type AgentId, RunId, StepId } from "../protocol/ids.js";
import type { RunRequest, RunState } from "../protocol/run.js";
import { type ActiveRuns, openActiveRuns } from "./active-runs.js";
import { agentsPorts } from "./agents/agents-port.js";
import { openAnswers } from "./agents/answers.js";
import { openAgents } from "./agents/open-agents.js";
import { operateAgents } from "./agents/operate-agents.js";
import { recoverAgents } from "./agents/recover-agents.js";
import { openApprovals } from "./approvals/approvals.js";
import { openAttendance } from "./approvals/attendance.js";
import { respond } from "./approvals/respond.js";
import { budgetLines } from "./budgets/budget-lines.js";
import { openBudgets } from "./budgets/budgets.js";
import { DAY_MS, recallSpending } from "./budgets/recall-spending.js";
import { openModelCalls } from "./calls/model-calls.js";
import type { EngineDeps } from "./deps.js";
import type { RunEngine } from "./engine.js";
import { RunEnded } from "./failure.js";
import { launchMcpServer } from "./mcp-holder.js";
import { explicitPlan } from "./orchestrate.js";
import { orders } from "./orders.js";
import { actorOf } from "./peer.js";
import { restingJournal } from "./resting-journal.js";
import { restoreLedger } from "./restore-ledger.js";
import type { Shared } from "./run-context.js";
import { openSlots } from "./slots.js";
import { openTokenLedger } from "./token-ledger.js";

/** Goals that are taken at the same time; a thousand at once wait for each other, and nothing else waits for them. */
const INTAKE = 16;

/**
 * The engine of a daemon. A run belongs to the machine: it is taken up from its journal, and let go of when the daemon ends or the
 * run is paused; only an end that is in the journal ends it.
 */
export function openEngine(deps: EngineDeps): RunEngine {
  const shared: Shared = { ...sharedOf(deps), agentsFor: (agent) => portOf(agent) };
  // Read when it happens: the orders come after what they are for.
  const journal = restingJournal(deps.journal, (reason) => told.full(reason));
  const resting = withJournal(deps, journal);
  const place = { deps, shared, answers: openAnswers() };
  const agents = openAgents(place, { ...place, deps: resting });
  const portOf = agentsPorts(agents, place);
  const runs = openActiveRuns(resting, shared);
  const check = (run_id: RunId, request: RunRequest): void => {
    explicitPlan({ request, deps, dir: join(deps.workspaceBase, run_id) });
  };
  const { admit, ...told } = orders(deps, runs);
  const intake = openSlots(INTAKE);
  let closing = false;
  return {
    recover: () => recoverAll(deps, shared, runs, () => recoverAgents(agents, place)),
    submit: async (request, peer, beside) => {
      using _turn = await intake.take(new AbortController().signal);
      if (closing) throw stopping();
      const run_id = RunId.parse(ulid(deps.entropy));
      // A request that names no role or wrong parameters is refused to its face; no run comes of it.
      check(run_id, request);
      admit("submit");
      const submitted = { kind: "run_submitted" as const, owner_uid: peer.uid, ...request };
      await deps.journal.append([
        { ...submitted, run_id, actor: actorOf(peer) },
        ...(beside?.(run_id) ?? []),
      ]);
      runs.takeUp(run_id, "queued");
      return run_id;
    },
    check: (request) => {
      check(RunId.parse(ulid(deps.entropy)), request);
    },
    agents: operateAgents(agents, place),
    ...told,
    goOn: async () => {
      await told.goOn();
      agents.wakeAll();
    },
    respond: (id, verdict, peer) => respond(deps, shared.approvals, id, verdict, peer),
    attend: shared.attendance.attend,
    budgets: (id) => budgetsOf(shared, id, deps.entropy.now()),
    traffic: () => ({
      models: shared.modelCalls.latencies(),
      providers: shared.modelCalls.queues(),
    }),
    stopAgent: async (id: AgentId, peer) => {
      const living = agents.get(id);
      if (living !== undefined) return agents.stop(living, peer);
      const agent = shared.liveAgents.get(id);
      agent?.stop.abort(new RunEnded("cancelled", `agent stopped by ${actorOf(peer)}`));
      await agent?.ended;
    },
    launchServer: launchMcpServer({ deps, shared }),
    close: async (signal) => {
      closing = true;
      runs.close();
      shared.approvals.close();
      for (const { rest } of runs.all()) rest.abort(new LetGo());
      agents.rest();
      await Promise.race([Promise.all(shared.toolCalls), aborted(signal)]);
      for (const { stop } of runs.all()) stop.abort(new LetGo());
      await Promise.all([agents.close(), ...runs.all().map(({ done }) => done)]);
    },
  };
}

/** `policy` and the like are read anew at each access: what is laid over them must not read them now. */
function withJournal(deps: EngineDeps, journal: EngineDeps["journal"]): EngineDeps {
  return Object.create(deps, { journal: { value: journal, enumerable: true } }) as EngineDeps;
}

function stopping(): AgentdError {
  const hint = "Submit again when it is up.";
  return new AgentdError("unavailable", "submit", "the daemon is stopping", { hint });
}

function sharedOf(deps: EngineDeps): Omit<Shared, "agentsFor"> {
  const { tokens_per_day, usd_per_day } = deps.policy.limits;
  const budgets = openBudgets(
    {
      label: "the machine's day (policy.yaml, limits)",
      limits: { tokens: tokens_per_day ?? undefined, usd: usd_per_day ?? undefined },
      periodMs: DAY_MS,
    },
    deps.entropy.now,
  );
  return {
    budgets,
    ledger: openTokenLedger(deps.entropy),
    modelCalls: openModelCalls(budgets, deps.entropy.now),
    agentSlots: openSlots(deps.policy.limits.agents),
    toolCalls: new Set(),
    approvals: openApprovals({
      journal: deps.journal,
      reader: deps.reader,
      entropy: deps.entropy,
      timeoutMs: deps.settings.approvals.timeout_s * 1_000,
    }),
    accounts: new Map(),
    attendance: openAttendance(),
    liveAgents: new Map(),
  };
}

function budgetsOf({ budgets, accounts }: Shared, id: RunId | undefined, nowMs: number) {
  if (id === undefined) return budgetLines(budgets.day, nowMs);
  const run = accounts.get(id);
  if (run === undefined) return [];
  return [run.run, ...run.steps().values()].flatMap((account) => budgetLines(account, nowMs));
}

/** Everything that an earlier daemon left: what was spent, granted and asked first, then agents, then runs. */
async function recoverAll(
  deps: EngineDeps,
  shared: Shared,
  runs: ActiveRuns,
  takeUpAgents: () => Promise<void>,
): Promise<void> {
  const { reader, journal, entropy } = deps;
  restoreLedger(reader, shared.ledger);
  recallSpending(reader, shared.budgets.day, shared.modelCalls, entropy.now());
  await shared.approvals.recover();
  await takeUpAgents();
  const found = reader.runs({ all: false }).filter(({ state }) => state !== "paused");
  const begun = found.filter(({ state }) => state !== "queued");
  await journal.append(begun.map((run) => recovered(run, deps)));
  // In the order in which they were submitted.
  for (const { run_id, state } of found.toReversed()) runs.takeUp(RunId.parse(run_id), state);
}

function recovered(
  { run_id, state }: { readonly run_id: string; readonly state: RunState },
  { reader }: EngineDeps,
): NewEvent {
  const steps = reader.run(run_id)?.steps ?? [];
  return {
    kind: "run_recovered",
    run_id: RunId.parse(run_id),
    actor: "daemon",
    state,
    steps_under_way: steps
      .filter((step) => step.state === "running")
      .map(({ step_id }) => StepId.parse(step_id)),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
