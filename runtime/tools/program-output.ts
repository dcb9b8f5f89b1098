import type { Json } from "../protocol/json.js";
import type { ProgramOutcome } from "../protocol/ports.js";
import { type ToolResult, toolFailure, toolOutput } from "../protocol/tool-call.js";

/** How much of the output of a program that ran out of time is told, in characters of each end. */
const PARTIAL = 2_000;

/** What a program came to, as the model gets it. A non-zero exit is an outcome; running out of time is an error. */
export function programResult(program: string, outcome: ProgramOutcome): ToolResult {
  if (outcome.timed_out) return timedOut(program, outcome);
  const { exit_code, signal, stdout, stderr, truncated, duration_ms, denials } = outcome;
  const output: Json = { exit_code, signal, stdout, stderr, truncated, duration_ms };
  if (denials.length === 0) return toolOutput(output);
  return toolOutput({ ...output, denials: denials.map((denial) => ({ ...denial })) }, denials);
}

/** The error of a program that was killed at its time limit, with the end of what it had said by then. */
export function timedOut(program: string, outcome: ProgramOutcome): ToolResult {
  const said = [partial("stdout", outcome.stdout), partial("stderr", outcome.stderr)].filter(
    (part) => part !== "",
  );
  const output = said.length > 0 ? said.join("\n") : "it had written nothing";
  const failure = toolFailure(
    "timeout",
    `${program} was killed after ${outcome.duration_ms} ms; ${output}`,
  );
  return { ...failure, denials: outcome.denials };
}

function partial(name: string, text: string): string {
  if (text.trim() === "") return "";
  return `${name}: ${text.length > PARTIAL ? `…${text.slice(-PARTIAL)}` : text}`;
}
