import { join } from "node:path";
import { formatDuration } from "../base/duration.js";
import { ulid } from "../base/ulid.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { type AgentId, RunId } from "../protocol/ids.js";
import type { RunRequest } from "../protocol/run.js";
import { carryOut } from "./carry-out.js";
import type { EngineDeps } from "./deps.js";
import { actorOf, type RunEngine } from "./engine.js";
import { RunEnded } from "./failure.js";
import { openModelCalls } from "./model-calls.js";
import { explicitPlan } from "./orchestrate.js";
import type { RunContext, Shared } from "./run-context.js";
import { openSlots, type Slots } from "./slots.js";
import { openTokenLedger } from "./token-ledger.js";

/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

interface ActiveRun {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** The engine of a daemon: runs live here, whoever watches them. It owns the runs under way and ends them when it is closed. */
export function openEngine(deps: EngineDeps): RunEngine {
  const shared: Shared = {
    ledger: openTokenLedger(deps.entropy),
    modelCalls: openModelCalls(deps.entropy.now),
    agentSlots: openSlots(deps.policy.limits.agents),
    liveAgents: new Map(),
  };
  const runSlots = openSlots(deps.settings.run.max_parallel_runs);
  const active = new Map<RunId, ActiveRun>();
  let closing = false;

  const start = (id: RunId, request: RunRequest): void => {
    const stop = new AbortController();
    const run = contextOf(id, request, deps, shared);
    active.set(id, { stop, done: inTurn(run, runSlots, stop).finally(() => active.delete(id)) });
  };

  return {
    submit: async (request, peer, beside) => {
      if (closing)
        throw new AgentdError("unavailable", "submit", "the daemon is stopping", {
          hint: "Submit again when it is up.",
        });
      const id = RunId.parse(ulid(deps.entropy));
      // A request that names no role or wrong parameters is refused to its face; no run comes of it.
      explicitPlan(contextOf(id, request, deps, shared));
      await deps.journal.append([
        {
          kind: "run_submitted",
          run_id: id,
          actor: actorOf(peer),
          owner_uid: peer.uid,
          ...request,
        },
        ...(beside?.(id) ?? []),
      ]);
      start(id, request);
      return id;
    },
    check: (request) => {
      explicitPlan(contextOf(RunId.parse(ulid(deps.entropy)), request, deps, shared));
    },
    cancel: async (id, peer) => {
      const run = active.get(id);
      run?.stop.abort(new RunEnded("cancelled", `stopped by ${actorOf(peer)}`));
      await run?.done;
    },
    stopAgent: async (id: AgentId, peer) => {
      const agent = shared.liveAgents.get(id);
      agent?.stop.abort(new RunEnded("cancelled", `agent stopped by ${actorOf(peer)}`));
      await agent?.ended;
    },
    close: async (signal) => {
      closing = true;
      for (const { stop } of active.values())
        stop.abort(new RunEnded("cancelled", "the daemon is stopping"));
      const all = Promise.all([...active.values()].map(({ done }) => done));
      await Promise.race([all, aborted(signal)]);
    },
  };
}

function contextOf(id: RunId, request: RunRequest, deps: EngineDeps, shared: Shared): RunContext {
  const { max_tokens, max_usd } = request;
  return {
    id,
    request,
    dir: join(deps.workspaceBase, id),
    spending: { ceilings: { max_tokens, max_usd }, tokens: 0, usd: 0 },
    deps,
    shared,
  };
}

/** Waits for its turn, then carries the run out within its time; a run stopped while it waits still ends in the journal. */
async function inTurn(run: RunContext, slots: Slots, stop: AbortController): Promise<void> {
  let slot: Disposable | undefined;
  try {
    slot = await slots.take(stop.signal);
  } catch {
    return carryOut(run, stop.signal);
  }
  const limitMs = Math.min(
    run.request.timeout_ms ?? Number.POSITIVE_INFINITY,
    run.deps.settings.run.max_wall_clock_s * 1_000,
  );
  const message = `the run took longer than ${formatDuration(limitMs)}`;
  const timer = setTimeout(
    () => stop.abort(new RunEnded("budget_exceeded", message)),
    Math.min(limitMs, MAX_TIMER_MS),
  );
  try {
    await carryOut(run, stop.signal);
  } finally {
    clearTimeout(timer);
    slot[Symbol.dispose]();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
