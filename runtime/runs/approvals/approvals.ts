import type { Journal } from "../../audit/journal.js";
import { type Entropy, ulid } from "../../base/ulid.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { ApprovalId, type ApprovalScope, type ApprovalSubject } from "../../protocol/approval.js";
import type { EventContext } from "../../protocol/event.js";
import { AgentId, RunId, StepId } from "../../protocol/ids.js";
import { isRunEnded } from "../../protocol/run.js";
import type { ApprovalDetail, StoreReader } from "../../store/reader.js";
import type { Recorder } from "../record.js";
import { openClocks } from "./clocks.js";

/** What an operator is asked. `input` is JSON text. */
export interface Question {
  readonly subject: ApprovalSubject;
  readonly tool: string;
  readonly description: string;
  readonly input: string;
  readonly call_id?: string;
  readonly capability?: string;
}

export type Answer =
  | { readonly granted: true; readonly scope: ApprovalScope; readonly id: ApprovalId }
  | { readonly granted: false; readonly reason: string; readonly id: ApprovalId };

export type Verdict =
  | { readonly granted: true; readonly scope: ApprovalScope }
  | { readonly granted: false; readonly reason: string };

/**
 * What waits for an operator. The journal has it all: a wait outlives the daemon, ends as a denial when its time is over, and is taken
 * up again by the very call that asked.
 */
export interface Approvals {
  /** Asks, durably, and waits for the answer. Where the same call asked before and nothing has come of it, that approval is meant. */
  readonly ask: (
    asker: { readonly agent_id: AgentId; readonly record: Recorder },
    question: Question,
    signal: AbortSignal,
  ) => Promise<Answer>;
  /** Answers in somebody's name. Throws `unknown_id`, and `illegal_transition` where it was answered before. */
  readonly settle: (id: ApprovalId, verdict: Verdict, actor: string) => Promise<void>;
  /** Denies what of a run, or of an agent that belongs to none, still waits, and why. */
  readonly denyAll: (
    whose: { readonly run_id: RunId } | { readonly agent_id: AgentId },
    reason: string,
  ) => Promise<void>;
  /** Called whenever something begins or ceases to wait in a run. */
  readonly onChange: (run_id: RunId, changed: () => Promise<void>) => () => void;
  /** How many approvals of a run wait. */
  readonly waiting: (run_id: RunId) => number;
  /** At the daemon's start: denies what is too late or belongs to what has ended; everything else goes on waiting. */
  readonly recover: () => Promise<void>;
  /** Stops the clocks; nothing is settled. */
  readonly close: () => void;
}

interface Parts {
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly entropy: Entropy;
  readonly timeoutMs: number;
}

export function openApprovals(parts: Parts): Approvals {
  const { reader, entropy, timeoutMs } = parts;
  const answered = new Map<string, (answer: Answer) => void>();
  const changed = new Map<string, () => Promise<void>>();
  const clocks = openClocks(entropy.now);

  const settle = async (id: ApprovalId, verdict: Verdict, actor: string): Promise<void> => {
    const { run_id } = await recordVerdict(parts, id, verdict, actor);
    clocks.stop(id);
    answered.get(id)?.({ ...verdict, id });
    answered.delete(id);
    await changed.get(run_id ?? "")?.();
  };
  const deny = (id: string, reason: string): Promise<void> =>
    settle(ApprovalId.parse(id), { granted: false, reason }, "daemon");
  const expire = (id: string): Promise<void> =>
    deny(id, `approval request timed out after ${Math.round(timeoutMs / 1_000)}s`).catch(
      (thrown: unknown) => {
        // Answered at the very end.
        if (!(thrown instanceof AgentdError && thrown.code === "illegal_transition")) throw thrown;
      },
    );
  const startClock = (id: string, expires_at: string): void =>
    clocks.start(id, Date.parse(expires_at), () => void expire(id));

  return {
    settle,
    ask: async ({ agent_id, record }, question, signal) => {
      const before = askedBefore(reader, agent_id, question);
      if (before !== undefined && before.state !== "pending") return answerOf(before);
      const expires_at = new Date(entropy.now() + timeoutMs).toISOString();
      const id = ApprovalId.parse(before?.id ?? ulid(entropy));
      if (before === undefined) {
        const asked = { kind: "human_approval_requested", approval_id: id, expires_at } as const;
        await record({ ...asked, ...question });
        startClock(id, expires_at);
      }
      const answer = answerTo(id, answered, signal);
      // Where the state cannot be written nobody comes to wait for the answer.
      answer.catch(() => undefined);
      // Settled while its asking was being written.
      const now = reader.approval(id);
      if (now !== undefined && now.state !== "pending") answered.get(id)?.(answerOf(now));
      await changed.get(now?.run_id ?? "")?.();
      return answer;
    },
    denyAll: async (whose, reason) => {
      for (const { id, state } of reader.approvals(whose))
        if (state === "pending") await deny(id, reason);
    },
    onChange: (run_id, listener) => {
      changed.set(run_id, listener);
      return () => {
        changed.delete(run_id);
      };
    },
    waiting: (run_id) =>
      reader.approvals({ run_id }).filter(({ state }) => state === "pending").length,
    recover: async () => {
      for (const row of reader.approvals({})) {
        const gone = goneReason(row, reader);
        if (gone !== undefined) await deny(row.id, gone);
        else if (Date.parse(row.expires_at) <= entropy.now()) await expire(row.id);
        else startClock(row.id, row.expires_at);
      }
    },
    close: clocks.stopAll,
  };
}

/** The answer as an event, once: a second one throws `illegal_transition`. */
async function recordVerdict(
  { journal, reader }: Parts,
  id: ApprovalId,
  verdict: Verdict,
  actor: string,
): Promise<ApprovalDetail> {
  const row = reader.approval(id);
  if (row === undefined)
    throw new AgentdError("unknown_id", "settle approval", `there is no approval ${id}`);
  const body = verdict.granted
    ? ({ kind: "human_approval_granted", approval_id: id, scope: verdict.scope } as const)
    : ({ kind: "human_approval_denied", approval_id: id, reason: verdict.reason } as const);
  await journal.append([{ ...contextOf(row, actor), ...body }]);
  return row;
}

/** Resolves with the answer, rejects with the signal's reason. */
function answerTo(
  id: ApprovalId,
  answered: Map<string, (answer: Answer) => void>,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      answered.delete(id);
      reject(signal.reason as Error);
    };
    answered.set(id, (answer) => {
      signal.removeEventListener("abort", leave);
      resolve(answer);
    });
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
  });
}

/** What the same call of this agent asked before, where its conversation has not gone on since: a daemon ended meanwhile. */
function askedBefore(
  reader: StoreReader,
  agent_id: AgentId,
  { subject, tool, call_id, capability }: Question,
): ApprovalDetail | undefined {
  const found = reader
    .approvals({ agent_id })
    .findLast(
      (row) =>
        row.subject === subject &&
        row.tool === tool &&
        row.call_id === (call_id ?? null) &&
        row.capability === (capability ?? null),
    );
  if (found === undefined) return undefined;
  const filter = {
    agent_id,
    kind: ["message_appended", "budget_raised"],
    limit: 1,
    reverse: false,
  };
  const since = reader.events({ ...filter, after_seq: found.requested_seq });
  return since.length === 0 ? found : undefined;
}

function answerOf({ id, state, scope, reason }: ApprovalDetail): Answer {
  const approval = ApprovalId.parse(id);
  if (state === "granted") return { granted: true, scope: scope ?? "once", id: approval };
  return { granted: false, reason: reason ?? "denied by human", id: approval };
}

/** Why nobody can make use of the answer any more. */
function goneReason({ run_id, agent_id }: ApprovalDetail, reader: StoreReader): string | undefined {
  if (run_id !== null) {
    const run = reader.run(run_id);
    if (run === undefined || isRunEnded(run.state)) return "the run that asked has ended";
  }
  if (agent_id === null) return undefined;
  return reader.agent(agent_id)?.state === "stopped" ? "the agent that asked has ended" : undefined;
}

function contextOf({ run_id, step_id, agent_id }: ApprovalDetail, actor: string): EventContext {
  return {
    actor,
    ...(run_id === null ? {} : { run_id: RunId.parse(run_id) }),
    ...(step_id === null ? {} : { step_id: StepId.parse(step_id) }),
    ...(agent_id === null ? {} : { agent_id: AgentId.parse(agent_id) }),
  };
}
