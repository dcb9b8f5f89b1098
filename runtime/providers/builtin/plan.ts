import { basename } from "node:path";
import type { Json } from "../../protocol/json.js";
import type { Goal, GoalSource } from "./goal.js";
import type { Operation } from "./operation.js";

/** A plan as a planner answers it; the caller parses and checks it like any other. */
interface PlannedStep {
  readonly id: string;
  readonly role: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly depends_on: readonly string[];
}

export type PlanResult =
  | {
      readonly ok: true;
      readonly plan: { readonly steps: readonly PlannedStep[]; readonly final_output: string };
    }
  | { readonly ok: false; readonly why: string };

interface Planned {
  readonly source: GoalSource;
  /** From 1, the place in the goal: it stays when a replan drops another source, so that finished steps are kept. */
  readonly number: number;
}

const TITLES: Readonly<Record<Operation, string>> = {
  compare: "Comparison of",
  outline: "Outline of",
  extract: "Extract from",
  list: "List from",
  analyse: "Analysis of",
  summarise: "Summary of",
  collect: "Notes from",
};

/**
 * One fetcher a URL, one analyzer a source where several are compared or analysed, one writer. `failure` is what went wrong with
 * the plan before: sources that it names are dropped, and the title says so; where too few are left there is no plan.
 */
export function planGoal(
  goal: Goal,
  text: string,
  roles: readonly string[],
  failure?: string,
): PlanResult {
  const all = goal.sources.map((source, index) => ({ source, number: index + 1 }));
  const left = failure === undefined ? all : all.filter((entry) => !isBlamed(entry, failure));
  if (failure !== undefined && (left.length === all.length || left.length < fewest(goal)))
    return { ok: false, why: `no other plan is possible after: ${failure}` };
  const needed = neededRoles(goal, left);
  const missing = needed.filter((role) => !roles.includes(role));
  if (missing.length > 0)
    return { ok: false, why: `it needs the role ${missing.join(" and the role ")}` };
  const finalOutput = goal.output ?? "{run}/output.md";
  if (isPlainFetch(goal)) return { ok: true, plan: plainFetch(left, finalOutput) };
  const dropped = all.filter((entry) => !left.includes(entry));
  const analyses =
    (goal.operation === "compare" || goal.operation === "analyse") &&
    left.length > 1 &&
    roles.includes("analyzer");
  const steps = [...fetchSteps(left), ...(analyses ? analyzeSteps(left, text) : [])];
  const inputs = left.map((entry) => (analyses ? notesPath(entry) : sourcePath(entry)));
  const writer: PlannedStep = {
    id: "write",
    role: "writer",
    params: { inputs, output: finalOutput, title: titleOf(goal.operation, left, dropped) },
    depends_on: analyses ? left.map((entry) => `analyze-${entry.number}`) : fetchIds(left),
  };
  return { ok: true, plan: { steps: [...steps, writer], final_output: finalOutput } };
}

function isPlainFetch(goal: Goal): boolean {
  return (
    goal.operation === "collect" && goal.sources.length === 1 && goal.sources[0]?.kind === "url"
  );
}

function fewest(goal: Goal): number {
  return goal.operation === "compare" ? 2 : 1;
}

function neededRoles(goal: Goal, left: readonly Planned[]): string[] {
  const fetches = left.some((entry) => entry.source.kind === "url");
  return [...(fetches ? ["fetcher"] : []), ...(isPlainFetch(goal) ? [] : ["writer"])];
}

function plainFetch(left: readonly Planned[], output: string) {
  const steps = left.map(({ source, number }) => ({
    id: `fetch-${number}`,
    role: "fetcher",
    params: { url: source.where, output },
    depends_on: [],
  }));
  return { steps, final_output: output };
}

function fetchSteps(left: readonly Planned[]): PlannedStep[] {
  return left
    .filter((entry) => entry.source.kind === "url")
    .map((entry) => ({
      id: `fetch-${entry.number}`,
      role: "fetcher",
      params: { url: entry.source.where, output: sourcePath(entry) },
      depends_on: [],
    }));
}

function analyzeSteps(left: readonly Planned[], goal: string): PlannedStep[] {
  return left.map((entry) => ({
    id: `analyze-${entry.number}`,
    role: "analyzer",
    params: {
      inputs: [sourcePath(entry)],
      question: `What does this source say that serves the goal: ${goal.trim()}`,
      output: notesPath(entry),
    },
    depends_on: fetchIds([entry]),
  }));
}

function fetchIds(entries: readonly Planned[]): string[] {
  return entries
    .filter((entry) => entry.source.kind === "url")
    .map((entry) => `fetch-${entry.number}`);
}

function sourcePath({ source, number }: Planned): string {
  return source.kind === "url" ? `{run}/source-${number}.md` : source.where;
}

function notesPath({ number }: Planned): string {
  return `{run}/notes-${number}.md`;
}

function titleOf(
  operation: Operation,
  left: readonly Planned[],
  dropped: readonly Planned[],
): string {
  const names = left.map((entry) => nameOf(entry.source));
  const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  const list = shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : shown[0];
  const without = dropped.map((entry) => nameOf(entry.source)).join(", ");
  return `${TITLES[operation]} ${list}${without === "" ? "" : ` (without ${without}, which failed)`}`;
}

function nameOf(source: GoalSource): string {
  if (source.kind === "path") return basename(source.where);
  const url = URL.canParse(source.where) ? new URL(source.where) : undefined;
  if (url === undefined) return source.where;
  return `${url.host}${url.pathname === "/" ? "" : url.pathname}`.slice(0, 80);
}

/** Whether a failure names this source, or a step that only this source has. */
function isBlamed({ source, number }: Planned, failure: string): boolean {
  const names = [source.where, `fetch-${number}`, `analyze-${number}`, `source-${number}.md`];
  return names.some((name) => {
    const at = failure.indexOf(name);
    return at >= 0 && !/[\p{L}\p{N}_/-]/u.test(failure.charAt(at + name.length));
  });
}
