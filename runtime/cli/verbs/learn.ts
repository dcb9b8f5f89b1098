import { lstatSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { errorText } from "../../base/error-text.js";
import { readPolicy } from "../../catalog/settings.js";
import { makeCeiling } from "../../policy/ceiling.js";
import { formatCapability } from "../../policy/grammar.js";
import { propose } from "../../policy/propose.js";
import { PROGRAM_DIRS } from "../../policy/provided-paths.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import type { Observation } from "../../protocol/observation.js";
import { neverGrantable } from "../../protocol/places.js";
import type { Command } from "../command.js";
import { plural } from "../format.js";
import { type ObservedRun, observeProgram } from "../observe-program.js";
import { plainLine } from "../plain-text.js";
import { printJson, printLine } from "../print.js";

/**
 * Runs a program once, observed, and prints the capabilities that a role would need for it. The program runs with the operator's own
 * authority: nothing is refused, and what it does is done. Exit code 1 where the program failed, because then it may have stopped early.
 */
export async function learn(
  command: Command,
  argv: readonly string[],
  { trace }: { readonly trace?: string },
): Promise<ExitCode> {
  const { places, io, style } = command;
  const policy = readPolicy(places.policyFile);
  const ceiling = makeCeiling(policy, { workspace: null, never: neverGrantable(places) });
  io.stderr.write(
    `${style.warn("Not confined:")} ${plainLine(argv.join(" "))} runs as you, and is only observed.\n`,
  );
  const [program = "", ...args] = argv;
  const run = await observeProgram(command, [asDaemonFinds(program), ...args]);
  if (trace !== undefined) saveTrace(resolve(io.cwd, trace), run);
  const { observations, end } = run;
  const gone = goneAfter(observations);
  const { capabilities, notes } = propose({ observations, gone, home: homedir() }, ceiling);
  const written = capabilities.map(formatCapability);
  const remarks = [...notes, ...completeness(run)];
  if (command.json) {
    const program = { argv, exit_code: end.code, signal: end.signal };
    printJson(command, { program, capabilities: written, notes: remarks, observations });
  } else {
    printLine(command, `# ${plainLine(argv.join(" "))}, observed once; read it before you use it`);
    for (const remark of remarks) printLine(command, `# - ${plainLine(remark)}`);
    printLine(command, written.length === 0 ? "capabilities: []" : "capabilities:");
    // A JSON string is a YAML string.
    for (const text of written) printLine(command, `  - ${JSON.stringify(plainLine(text))}`);
  }
  return end.code === 0 ? 0 : 1;
}

/** An agent's `python3` is the host's, whatever the operator's PATH puts before it. */
function asDaemonFinds(program: string): string {
  if (program.includes("/")) return program;
  return PROGRAM_DIRS.map((dir) => join(dir, program)).find(isThere) ?? program;
}

function goneAfter(observations: readonly Observation[]): ReadonlySet<string> {
  const written = observations.flatMap((one) => (one.op === "write" ? [one.path] : []));
  return new Set([...new Set(written)].filter((path) => !isThere(path)));
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Its directory is none any more, or may not be entered: then nobody can say that it is there.
    return false;
  }
}

function completeness({ end }: ObservedRun): readonly string[] {
  const remarks: string[] = [];
  if (end.code !== 0) {
    const how = end.code === null ? `was ended by signal ${end.signal}` : `ended with ${end.code}`;
    remarks.push(`the program ${how}: what it would have needed later is not in here`);
  }
  if (end.unreadable > 0) {
    remarks.push(`${plural(end.unreadable, "call")} could not be read and is not in here`);
  }
  if (end.dropped > 0) {
    remarks.push(`${plural(end.dropped, "observation")} beyond the bound is not in here`);
  }
  return remarks;
}

function saveTrace(file: string, { observations, end }: ObservedRun): void {
  const lines = [...observations, end].map((line) => `${JSON.stringify(line)}\n`);
  try {
    writeFileSync(file, lines.join(""), { mode: 0o600 });
  } catch (cause) {
    throw new AgentdError("usage", "learn", `cannot write ${file}: ${errorText(cause)}`, {
      cause,
      hint: "Give --trace a file in a folder that you may write to.",
    });
  }
}
