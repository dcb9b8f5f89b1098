import type { DoctorCheck } from "../../protocol/control-results.js";
import type { Json } from "../../protocol/json.js";
import { bad, good } from "../doctor/check.js";
import { type Answers, INSIDE_ID } from "./attempting-model.js";
import { CALLS, INSIDE } from "./denials.js";

const REMEDY =
  "Nothing that agents do on this machine is safe: stop agentd, and report it with `agentd doctor --bundle FILE`.";

/** A line for each of the ten attempts. Only a refusal that says so is good: a call that broke otherwise has proven nothing. */
export function judgeDenials(answers: Answers, closedHits: number): readonly DoctorCheck[] {
  const calls = CALLS.map(({ name }, index) => judgeCall(name, answers.get(String(index))));
  const inside = answers.get(INSIDE_ID);
  const found = parsedOutput(inside);
  const kernel = INSIDE.map(({ key, name }) => judgeInside(name, found?.[key], inside));
  const reached =
    closedHits === 0
      ? []
      : [bad("denied: the closed server", `was reached ${closedHits} times`, REMEDY)];
  return [...calls, ...kernel, ...reached];
}

function judgeCall(name: string, answer: Json | undefined): DoctorCheck {
  const error = field(answer, "error");
  if (field(error, "kind") === "denied")
    return good(`denied: ${name}`, String(field(error, "layer") ?? "denied"));
  const detail = answer === undefined ? "was never answered" : `was answered: ${brief(answer)}`;
  return bad(`denied: ${name}`, detail, REMEDY);
}

function judgeInside(name: string, errno: Json | undefined, answer: Json | undefined): DoctorCheck {
  const line = `denied: ${name}`;
  if (typeof errno === "string" && /^E[A-Z]+$/.test(errno) && errno !== "ETIMEDOUT")
    return good(line, `kernel: ${errno}`);
  if (errno === "done") return bad(line, "was done", REMEDY);
  return bad(
    line,
    `could not be tried: ${brief(answer ?? null)}`,
    "Run `agentd doctor`; node must be on agentd's PATH.",
  );
}

function parsedOutput(answer: Json | undefined): Readonly<Record<string, Json>> | undefined {
  const stdout = field(answer, "stdout");
  try {
    return JSON.parse(String(stdout)) as Record<string, Json>;
  } catch {
    return undefined;
  }
}

function field(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return (value as Readonly<Record<string, Json>>)[name];
}

function brief(value: Json): string {
  return JSON.stringify(value).slice(0, 200);
}
