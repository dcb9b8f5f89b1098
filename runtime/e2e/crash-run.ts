import { setTimeout as sleep } from "node:timers/promises";
import { connectTo } from "../cli/client.js";
import { isRunEnded, RunState } from "../protocol/run.js";
import { type CrashWorld, MARKS } from "./crash-world.js";
import { waitFor } from "./wait.js";
import type { WireLine } from "./world.js";

/** What one run with one crash came to; `problems` is empty where all was as it would have been. */
export interface CrashReport {
  readonly killed_after_ms: number;
  readonly took_ms: number;
  /** Where the crash found the run. */
  readonly found: string;
  readonly steps_under_way: number;
  readonly unknown_outcomes: number;
  readonly problems: readonly string[];
}

/** Submits one goal, kills the daemon with SIGKILL `afterMs` after it was acknowledged, starts the next, and looks at all that is left. */
export async function crashRun(
  crash: CrashWorld,
  name: string,
  afterMs: number | undefined,
): Promise<CrashReport> {
  const { world } = crash;
  const client = connectTo(world.socket);
  const started = performance.now();
  const goal = crash.goal(name);
  const { run_id } = await client.call("run.submit", { goal, orchestration: "plan" });
  if (afterMs !== undefined) {
    await sleep(afterMs);
    world.daemon().kill("SIGKILL");
    await world.daemon().ended;
    await world.start();
  }
  await waitFor(`the end of ${run_id}`, async () => {
    const { state } = await client.call("run.get", { run_id });
    return isRunEnded(RunState.parse(state)) ? state : undefined;
  });
  const took_ms = Math.round(performance.now() - started);
  const events = await world.events(run_id);
  const { ok, problems } = await client.call("audit.verify", {});
  const recovered = events.find(({ kind }) => kind === "run_recovered");
  const steps = recovered?.["steps_under_way"];
  return {
    killed_after_ms: Math.round(afterMs ?? 0),
    took_ms,
    found: String(recovered?.["state"] ?? "not begun, or ended"),
    steps_under_way: Array.isArray(steps) ? steps.length : 0,
    unknown_outcomes: events.filter(isUnknown).length,
    problems: [
      ...(ok ? [] : problems.map(({ problem }) => `audit verify: ${problem}`)),
      ...problemsOf(crash, name, events, recovered?.seq ?? Number.POSITIVE_INFINITY),
    ],
  };
}

function isUnknown({ kind, result_preview }: WireLine): boolean {
  return kind === "tool_result" && String(result_preview).includes("outcome is unknown");
}

function problemsOf(
  crash: CrashWorld,
  name: string,
  events: readonly WireLine[],
  crashSeq: number,
): readonly string[] {
  const last = events.at(-1);
  if (last?.["to"] !== "succeeded")
    return [`ended as ${String(last?.["to"])}: ${String(last?.["reason"])}`];
  const marks = crash.marks(name).join(" ");
  const whole = crash.document(name).match(/The same words each time/g)?.length === 3;
  return [
    ...(marks === MARKS.join(" ") ? [] : [`marks: ${marks}`]),
    ...(whole ? [] : ["the document is not whole"]),
    ...begunAgain(events),
    ...fetchedAgain(crash, name, doneAt(events), crashSeq),
  ];
}

/** The event with which each step succeeded. */
function doneAt(events: readonly WireLine[]): ReadonlyMap<string, number> {
  const done = events.filter(
    ({ kind, success }) => kind === "subtask_completed" && success === true,
  );
  return new Map(done.map(({ subtask_id, seq }) => [String(subtask_id), seq]));
}

function begunAgain(events: readonly WireLine[]): readonly string[] {
  const starts = events.filter(({ kind }) => kind === "subtask_started");
  const again = starts.filter(({ attempt }) => attempt !== 1);
  const ids = new Set(starts.map(({ subtask_id }) => subtask_id));
  return [
    ...again.map(({ subtask_id }) => `${String(subtask_id)} was begun again`),
    ...(ids.size === starts.length && ids.size === 9
      ? []
      : [`${ids.size} steps began ${starts.length} times`]),
  ];
}

/** A page of a step that was finished is never asked for again; one under way may be. */
function fetchedAgain(
  { pages }: CrashWorld,
  name: string,
  done: ReadonlyMap<string, number>,
  crashSeq: number,
): readonly string[] {
  return [1, 2, 3].flatMap((n) => {
    const most = (done.get(`fetch-${n}`) ?? 0) < crashSeq ? 1 : 2;
    const hits = pages.hits(`/${name}/${n}`);
    return hits > most ? [`page ${n} was asked for ${hits} times`] : [];
  });
}
