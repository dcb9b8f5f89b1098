import { assertNever } from "../base/assert-never.js";
import { ALL_ATTEMPTS } from "./all-attempts.js";
import { type Attempt, LAYERS, type Layer, type Need } from "./attempt.js";
import type { Measured, Row, ToolRow } from "./result.js";
import { TOOL_ATTEMPTS } from "./tool-attempts.js";

export interface Verdict {
  /** Each a line: what is wrong, by the attempt's id. Empty where all holds. */
  readonly problems: readonly string[];
  readonly summary: string;
}

/** True where the attempt did what it set out to do. */
export function isAllowed(answer: string): boolean {
  return answer === "ok" || answer.startsWith("ok ");
}

/** Attempts that count: not the twins that must work, not those that are ended from outside. */
export function isCounted(attempt: Attempt): boolean {
  return attempt.control !== true && attempt.expect !== "timeout";
}

/** The layers without any of which the answer is another, as measured. */
export function catchingLayers(row: Row): readonly Layer[] {
  return LAYERS.filter((layer) => (row.without[layer] ?? row.confined) !== row.confined);
}

/** Layers without which it is allowed: nothing else would catch it. */
export function soleLayers(row: Row): readonly Layer[] {
  return LAYERS.filter((layer) => isAllowed(row.without[layer] ?? ""));
}

/** Compares what was found with what is stated. */
export function judge(measured: Measured): Verdict {
  const byId = new Map(ALL_ATTEMPTS.map((attempt) => [attempt.id, attempt]));
  const problems: string[] = [];
  let allowed = 0;
  let accepted = 0;
  for (const row of measured.rows) {
    const attempt = byId.get(row.id);
    if (attempt === undefined) continue;
    if (isCounted(attempt) && isAllowed(row.confined)) {
      allowed += 1;
      if (attempt.accepted !== undefined) accepted += 1;
    }
    problems.push(
      ...problemsOf(attempt, row, measured).map((text) => `${row.id} ${attempt.title}: ${text}`),
    );
  }
  for (const row of measured.tools) problems.push(...toolProblems(row));
  if (hasAblation(measured)) problems.push(...deadLayers(measured));
  const counted = measured.rows.filter(({ id }) => {
    const attempt = byId.get(id);
    return attempt !== undefined && isCounted(attempt);
  }).length;
  const tools = measured.tools.length > 0 ? `, ${measured.tools.length} more through tools` : "";
  const summary = `${counted} attempts${tools}, ${allowed} allowed (${accepted} of them accepted), ${problems.length} problems`;
  return { problems, summary };
}

/** The twins that must work among the attempts through tools count no more than among the others. */
function toolProblems(row: ToolRow): readonly string[] {
  const attempt = TOOL_ATTEMPTS.find(({ id }) => id === row.id);
  if (attempt === undefined) return [];
  const compare = (what: string, found: string | null, stated: string | null) =>
    found === stated || found === null || stated === null
      ? []
      : [`${row.id} ${attempt.title}: answers ${found} ${what}, not ${stated}`];
  return [
    ...compare("through the tool", row.confined, attempt.expect),
    ...compare("with the check left out", row.unchecked, attempt.unchecked),
    ...compare("without confinement", row.bare, attempt.bare === null ? null : "ok"),
  ];
}

function problemsOf(attempt: Attempt, row: Row, measured: Measured): readonly string[] {
  const problems = [...missing(attempt, measured)];
  if (row.confined !== attempt.expect)
    problems.push(`answers ${row.confined} under confinement, not ${attempt.expect}`);
  const bare = [attempt.bare ?? "ok"].flat();
  if (attempt.bare !== null && row.bare !== null && !bare.includes(row.bare))
    problems.push(`answers ${row.bare} without confinement, not ${bare.join(" or ")}`);
  for (const [layer, answer] of Object.entries(row.without)) {
    if (answer.startsWith("launch"))
      problems.push(`tells nothing about the layer ${layer}: ${answer}`);
  }
  if (hasAblation(measured) && isCounted(attempt)) {
    const found = catchingLayers(row).join(" ");
    const stated = attempt.layers.join(" ");
    if (found !== stated) problems.push(`is caught by [${found}], not by [${stated}]`);
  }
  return problems;
}

function missing({ needs = [] }: Attempt, measured: Measured): readonly string[] {
  return needs.map((need) => lack(need, measured)).filter((text) => text !== "");
}

/** What this machine has not got, or nothing. */
function lack(need: Need, { arch, landlock_abi, enforced }: Measured): string {
  switch (need) {
    case "x86_64":
      return arch === "x64" ? "" : "MISSING: this is not x86_64";
    case "landlock-net":
      return landlock_abi >= 4 ? "" : "MISSING: Landlock has no network rights";
    case "landlock-scopes":
      return landlock_abi >= 6 ? "" : "MISSING: Landlock has no scopes";
    case "cgroup":
      return enforced["cgroup"] === "-" ? "MISSING: no cgroup is delegated" : "";
    default:
      return assertNever(need);
  }
}

function hasAblation(measured: Measured): boolean {
  return measured.rows.some(({ without }) => Object.keys(without).length > 0);
}

/** Layers that stand behind another one, which answers first; they matter where that one fails. */
export const BEHIND: Readonly<Partial<Record<Layer, string>>> = {
  ipc: "seccomp answers ENOSYS to every call of System V IPC and of message queues first",
  cgroup: "/sys is not in the private root; the namespace hides the path in /proc/self/cgroup",
};

/** A layer that catches nothing at all would be there for show. */
function deadLayers(measured: Measured): readonly string[] {
  const alive = new Set(measured.rows.flatMap(catchingLayers));
  return LAYERS.filter((layer) => !alive.has(layer) && BEHIND[layer] === undefined).map(
    (layer) => `the layer ${layer} catches nothing`,
  );
}
