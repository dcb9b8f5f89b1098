import type { Journal } from "../audit/journal.js";
import { errorText } from "../base/error-text.js";
import { type Entropy, ulid } from "../base/ulid.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { EventBodyOf } from "../protocol/event.js";
import { ScheduleId } from "../protocol/ids.js";
import { isRunEnded } from "../protocol/run.js";
import type { ScheduleRequest, ScheduleSummary } from "../protocol/schedule.js";
import type { StoreReader } from "../store/reader.js";
import type { EngineDeps } from "./deps.js";
import type { RunEngine } from "./engine.js";
import { actorOf, type Peer } from "./peer.js";
import { catchUp, nextAfter, parseWhen } from "./schedule-when.js";

/** The clock may be set, or the machine may sleep: it is looked at this often. */
const LOOK_AGAIN_MS = 30_000;

export interface SchedulesDeps {
  readonly journal: Journal;
  readonly reader: StoreReader;
  readonly engine: RunEngine;
  readonly entropy: Entropy;
  readonly log: EngineDeps["log"];
}

/** Goals by the clock. What was due while no daemon ran is done once when the next one begins. */
export interface Schedules {
  /** Durable when it returns. Throws `usage` for a time that is none, and what the target's own check throws. */
  readonly add: (request: ScheduleRequest, peer: Peer) => Promise<ScheduleSummary>;
  readonly remove: (id: ScheduleId, peer: Peer) => Promise<void>;
  /** Starts nothing more; waits for what is being started. */
  readonly close: () => Promise<void>;
}

/** Takes up the schedules of the journal and fires them from now on, one at a time in the order of their times. */
export function openSchedules(deps: SchedulesDeps): Schedules {
  const { journal, reader, entropy, log } = deps;
  /** When each schedule is next due, in ms. What a schedule is stands in the store. */
  const due = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let firing: Promise<void> = Promise.resolve();

  const wait = (): void => {
    clearTimeout(timer);
    if (closed || due.size === 0) return;
    const first = Math.min(...due.values());
    timer = setTimeout(tick, Math.min(Math.max(first - entropy.now(), 0), LOOK_AGAIN_MS));
    timer.unref();
  };
  const tick = (): void => {
    firing = firing.then(fireDue).finally(wait);
  };
  const fireDue = async (): Promise<void> => {
    const now = entropy.now();
    const ripe = [...due].filter(([, at]) => at <= now).sort(([, a], [, b]) => a - b);
    for (const [id, at] of ripe) {
      const schedule = reader.schedule(id);
      if (closed) return;
      due.delete(id);
      if (schedule === undefined || schedule.removed_at !== null) continue;
      const { missed, next } = catchUp(schedule.when, at, now);
      if (next !== undefined) due.set(id, next);
      await fire(schedule, at, { missed, next }, deps).catch((thrown: unknown) => {
        log("error", "a schedule could not be carried out", {
          schedule_id: id,
          error: errorText(thrown),
        });
      });
    }
  };

  for (const { schedule_id, next_at } of reader.schedules({ all: false })) {
    if (next_at !== null) due.set(schedule_id, Date.parse(next_at));
  }
  wait();

  return {
    add: async (request, peer) => {
      const { id, next } = await addSchedule(request, peer, deps);
      due.set(id, next);
      wait();
      return known(reader, id);
    },
    remove: async (schedule_id, peer) => {
      if (known(reader, schedule_id).removed_at === null)
        await journal.append([{ kind: "schedule_removed", actor: actorOf(peer), schedule_id }]);
      due.delete(schedule_id);
      wait();
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await firing;
    },
  };
}

async function addSchedule(
  { when: text, timezone, target }: ScheduleRequest,
  peer: Peer,
  { engine, journal, entropy }: SchedulesDeps,
): Promise<{ readonly id: ScheduleId; readonly next: number }> {
  const now = entropy.now();
  const when = parseWhen(text, timezone, now);
  const next = nextAfter(when, now) ?? now;
  if (target.kind === "goal") engine.check(target.request);
  else engine.agents.checkAddressee(target.agent, peer);
  const id = ScheduleId.parse(ulid(entropy));
  await journal.append([
    {
      kind: "schedule_added",
      actor: actorOf(peer),
      schedule_id: id,
      when,
      target,
      owner_uid: peer.uid,
      next_at: new Date(next).toISOString(),
    },
  ]);
  return { id, next };
}

function known(reader: StoreReader, id: string): ScheduleSummary {
  const schedule = reader.schedule(id);
  if (schedule === undefined)
    throw new AgentdError("unknown_id", "find schedule", `no schedule ${id}`);
  return schedule;
}

/** Starts what is due, in one append with the word that it was due; where it cannot be started, the reason is what is left. */
async function fire(
  schedule: ScheduleSummary,
  dueMs: number,
  { missed, next }: ReturnType<typeof catchUp>,
  { engine, journal, reader }: SchedulesDeps,
): Promise<void> {
  const { schedule_id, owner_uid, target } = schedule;
  const what = {
    schedule_id,
    due_at: new Date(dueMs).toISOString(),
    missed,
    next_at: next === undefined ? null : new Date(next).toISOString(),
  };
  const fired = (came: Pick<EventBodyOf<"schedule_fired">, "started_run" | "to_agent">) => ({
    ...{ kind: "schedule_fired" as const, actor: "daemon", ...what, ...came },
  });
  const peer = { uid: owner_uid };
  try {
    if (isUnderWay(schedule, reader))
      throw new AgentdError("unavailable", "fire schedule", "what it started last still goes on");
    if (target.kind === "goal")
      await engine.submit(target.request, peer, (started_run) => [fired({ started_run })]);
    else
      await engine.agents.deliver(target.agent, target.text, peer, (to_agent) => [
        fired({ to_agent }),
      ]);
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    const reason = thrown.message;
    await journal.append([{ kind: "schedule_skipped", actor: "daemon", ...what, reason }]);
  }
}

/** A goal that takes longer than the time between two occurrences does not pile up. */
function isUnderWay({ last_run_id }: ScheduleSummary, reader: StoreReader): boolean {
  const run = last_run_id === null ? undefined : reader.run(last_run_id);
  return run !== undefined && !isRunEnded(run.state);
}
