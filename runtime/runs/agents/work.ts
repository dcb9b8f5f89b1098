import { setTimeout as sleep } from "node:timers/promises";
import type { AgentOutcome } from "../../agent/agent-input.js";
import { isLetGo, throwIfLetGo } from "../../agent/let-go.js";
import { errorText } from "../../base/error-text.js";
import type { EventBody } from "../../protocol/event.js";
import type { StoreReader } from "../../store/reader.js";
import { type AgentHistory, readAgentHistory } from "../agent-history.js";
import type { EngineDeps } from "../deps.js";
import { recorder } from "../record.js";
import type { Shared } from "../run-context.js";
import { takeUpAgent } from "../spawn-agent.js";
import { answer, ask, reportOf } from "./answer.js";
import type { Answers } from "./answers.js";
import { homeOf, type Living } from "./living.js";

const MAX_BACKOFF_MS = 300_000;
/** What may be over by itself. */
const PASSING: ReadonlySet<string> = new Set([
  "rate_limited",
  "overloaded",
  "network",
  "timeout",
  "garbage",
]);

export interface WorkPlace {
  readonly deps: EngineDeps;
  readonly shared: Shared;
  readonly answers: Answers;
}

interface Mail {
  readonly trace_id: string;
  readonly sender: string;
  readonly text: string;
}

/** The one loop of an agent that lives on: message by message, until none waits. False where it is let go of or ended before. */
export async function workOff(living: Living, place: WorkPlace): Promise<boolean> {
  const { reader, log } = place.deps;
  try {
    while (!isOver(living)) {
      const begun = openMessage(reader, living);
      const mail = begun === undefined ? reader.mail(living.id)[0] : undefined;
      if (begun === undefined && mail === undefined) return true;
      await supervise(living, place, mail);
    }
  } catch (thrown) {
    if (isLetGo(thrown) || isOver(living)) return false;
    log("error", "an agent cannot go on", { agent_id: living.id, error: errorText(thrown) });
  }
  return false;
}

function isOver({ stop, rest, paused }: Living): boolean {
  return paused || stop.signal.aborted || rest.signal.aborted;
}

/** The message that was taken out of the mailbox and not answered: another daemon ended over it, or the agent was let go of. */
function openMessage(reader: StoreReader, { id }: Living): string | undefined {
  const [last] = reader.events({
    agent_id: id,
    kind: ["message_delivered", "message_answered"],
    after_seq: 0,
    limit: 1,
    reverse: true,
  });
  if (last === undefined || "erased" in last || last.kind !== "message_delivered") return undefined;
  return last.trace_id;
}

/** Works on one message until it is answered; begins again, later each time, where the work broke off. */
async function supervise(living: Living, place: WorkPlace, mail: Mail | undefined): Promise<void> {
  const { restart } = place.deps.settings.agent;
  const most = restart.policy === "never" ? 0 : restart.max_restarts;
  for (let restarts = 0; ; restarts++) {
    const tried = await attempt(living, place, restarts === 0 ? mail : undefined);
    if (!tried.broken || restarts >= most) return conclude(living, place, tried.outcome);
    const waitMs = Math.min(MAX_BACKOFF_MS, restart.backoff_s * 1_000 * 2 ** restarts);
    await tell(living, place, {
      kind: "agent_loop_stopped",
      reason: `${tried.outcome.message ?? tried.outcome.stop_reason}; begins again in ${waitMs} ms`,
      messages_processed: living.answered,
    });
    const until = AbortSignal.any([living.stop.signal, living.rest.signal]);
    await sleep(waitMs, undefined, { signal: until }).catch(() => until.throwIfAborted());
    await tell(living, place, { kind: "agent_loop_started", lifecycle: living.lifecycle });
  }
}

interface Tried {
  readonly outcome: AgentOutcome;
  /** It broke off for a reason that may be gone later. */
  readonly broken: boolean;
}

/** One go at a message: the agent's processes live as long as this. Throws `LetGo`, and what ended the agent. */
async function attempt(
  living: Living,
  { deps, shared }: WorkPlace,
  mail: Mail | undefined,
): Promise<Tried> {
  const { id, spec, stop, rest } = living;
  using _slot = await shared.agentSlots.take(AbortSignal.any([stop.signal, rest.signal]));
  const home = homeOf(living, deps, shared);
  const past = readAgentHistory(deps.reader, id);
  const agent = takeUpAgent(home, { id, name: spec.name, spawned_seq: living.spawned_seq });
  living.live = agent;
  try {
    const history = mail === undefined ? past : await begin(living, past, mail, agent);
    const outcome = await answer(agent, spec, history, stop.signal);
    const kind = outcome.failure?.kind;
    return { outcome, broken: kind !== undefined && PASSING.has(kind) };
  } catch (thrown) {
    throwIfLetGo(stop.signal);
    stop.signal.throwIfAborted();
    if (isLetGo(thrown)) throw thrown;
    const { usage } = past;
    const message = errorText(thrown);
    const outcome = { stop_reason: "error", text: "", usage, iterations: 0, message } as const;
    return { outcome, broken: true };
  } finally {
    living.live = undefined;
    await agent.letGo();
  }
}

/** Takes the message out of the mailbox and puts it before the agent. One that lives for single messages forgets the one before. */
async function begin(
  { spec, lifecycle, id }: Living,
  past: AgentHistory,
  { trace_id, sender, text }: Mail,
  agent: NonNullable<Living["live"]>,
): Promise<AgentHistory> {
  const taken = { kind: "message_delivered" as const, from: sender, to: id, trace_id };
  const upto = past.messages.length;
  if (lifecycle !== "on-demand" || upto === 0) return ask(agent, spec, past, text, [taken]);
  const fresh = { ...past, summary: { text: "", upto } };
  return ask(agent, spec, fresh, text, [taken, { kind: "session_cleared", upto }]);
}

async function conclude(living: Living, place: WorkPlace, outcome: AgentOutcome): Promise<void> {
  const trace_id = openMessage(place.deps.reader, living);
  if (trace_id === undefined) return;
  const report = reportOf(living.id, outcome);
  const { stop_reason, response, message } = report;
  const answered = { kind: "message_answered" as const, trace_id, stop_reason, response };
  await tell(living, place, message === undefined ? answered : { ...answered, message });
  living.answered++;
  place.answers.give(trace_id, report);
}

function tell({ id }: Living, { deps }: WorkPlace, body: EventBody): Promise<unknown> {
  return recorder(deps.journal, { agent_id: id, actor: "daemon" })(body);
}
