import type { Access, AccessOf } from "../protocol/access.js";
import type { Observation, ObservedConnect, ObservedPath } from "../protocol/observation.js";
import { type Ceiling, isNeverGrantable } from "./ceiling.js";
import { networkNeeds } from "./learned-network.js";
import { type LearnedRun, type PathNeed, pathNeeds } from "./learned-paths.js";
import { profileOf, programsFor } from "./program-profiles.js";
import { programName, providedPaths } from "./provided-paths.js";

export interface Needs {
  readonly paths: readonly PathNeed[];
  readonly others: readonly Extract<Access, { kind: "exec" | "network" }>[];
  /** What was left out or will not work all the same, for the reader. */
  readonly notes: readonly string[];
}

/**
 * What of a watched run must be granted for it to work in a sandbox: without what every sandbox has, what was absent, and what can
 * never be granted, which is told instead. Pure.
 */
export function learnedNeeds(run: LearnedRun, ceiling: Ceiling): Needs {
  const seen = run.observations.filter(isPath);
  const executed = seen.filter(({ op, kind }) => op === "exec" && kind === "file");
  const notes = new Set<string>();
  const paths = pathNeeds(seen, executed, run);
  const never = paths.needs.filter(({ access }) => isNeverGrantable(ceiling, access));
  for (const { access } of never) {
    const verb = access.kind === "file_read" ? "reading" : "writing";
    notes.add(`${verb} ${access.path} can never be granted; left out`);
  }
  const connects = run.observations.filter((one): one is ObservedConnect => one.op === "connect");
  const others = [...execNeeds(executed, notes), ...networkNeeds(connects, notes)];
  if (paths.leftInHome.length > 0) {
    const [first = ""] = paths.leftInHome;
    const more = paths.leftInHome.length === 1 ? "" : ` and ${paths.leftInHome.length - 1} more`;
    notes.add(
      `left out ${first}${more}: in a sandbox HOME is another directory, without your settings and keys`,
    );
  }
  for (const path of paths.tooBroad) {
    notes.add(
      `${path} is made or removed, which needs its directory; that is too much to grant, so have it work in a directory of its own`,
    );
  }
  return { paths: paths.needs.filter((one) => !never.includes(one)), others, notes: [...notes] };
}

function isPath(one: Observation): one is ObservedPath {
  return one.op !== "connect";
}

/** Programs whose first word chooses what they do. */
const WITH_SUBCOMMANDS = new Set(["git", "cargo", "npm"]);

/** The program itself, and those that it starts and that are not part of it. */
function execNeeds(
  executed: readonly ObservedPath[],
  notes: Set<string>,
): readonly AccessOf<"exec">[] {
  const [root] = executed;
  if (root === undefined) return [];
  const rootName = programName(root);
  const own = new Set(programsFor(rootName, []));
  const { isHelper } = providedPaths([root]);
  const started = executed.filter((one) => !own.has(programName(one)) && !isHelper(one.path));
  if (profileOf(rootName).runs_granted) {
    return [toExec(root), ...started.map((one) => ({ ...toExec(one), args: [] }))];
  }
  const [first, ...more] = [...new Set(started.map(programName))];
  if (first !== undefined) {
    const rest = more.length === 0 ? "" : ` and ${more.length} more`;
    notes.add(
      `${rootName} starts ${first}${rest}, which its sandbox does not hold: have the agent call what it needs of them itself`,
    );
  }
  if (rootName.startsWith("/")) {
    notes.add(`${rootName} lies in no directory that the daemon looks programs up in`);
  }
  return [toExec(root), ...started.map(toExec)];
}

function toExec(one: ObservedPath): AccessOf<"exec"> {
  const program = programName(one);
  const args = one.op === "exec" ? one.argv.slice(1) : [];
  return { kind: "exec", program, args: WITH_SUBCOMMANDS.has(program) ? args : [] };
}
