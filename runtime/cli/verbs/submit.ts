import { parseDuration } from "../../base/duration.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { Orchestration } from "../../protocol/run.js";
import { type Client, connectTo, type MethodInput } from "../client.js";
import type { Command } from "../command.js";
import { followRun } from "../follow-run.js";
import { parseParams, type RawParams } from "../parse-params.js";
import { jsonLine } from "../plain-text.js";
import { readGoal } from "../read-goal.js";
import { splitLists } from "../split-lists.js";

export interface SubmitOptions {
  readonly file?: string;
  readonly role?: string;
  readonly param?: readonly string[];
  readonly orchestration?: string;
  readonly detach?: boolean;
  readonly verbose?: boolean;
  readonly maxTokens?: string;
  readonly maxUsd?: string;
  readonly timeout?: string;
}

/** Carries a goal out and shows it; with `--detach` prints the run's id and leaves. */
export async function submit(
  command: Command,
  words: readonly string[],
  options: SubmitOptions,
): Promise<ExitCode> {
  const goal = await readGoal(command, words, options.file);
  const asked = requestOf(goal, options);
  const client = connectTo(command.places.socketPath);
  const request = { ...asked, params: await typedParams(client, options.role, asked.params) };
  const { run_id: runId } = await client.call("run.submit", request);
  if (options.detach === true) {
    command.io.stdout.write(command.json ? `${jsonLine({ run_id: runId })}\n` : `${runId}\n`);
    return 0;
  }
  return followRun(command, client, {
    runId,
    as: options.verbose === true ? "events" : "picture",
  });
}

function requestOf(
  goal: string,
  options: SubmitOptions,
): MethodInput<"run.submit"> & { readonly params: RawParams } {
  const { role, maxTokens, maxUsd, timeout } = options;
  const params = parseParams(options.param ?? []);
  if (role === undefined && Object.keys(params).length > 0) {
    throw new AgentdError("usage", "submit", "--param needs --role");
  }
  return {
    goal,
    params,
    orchestration: orchestrationOf(options),
    ...(role === undefined ? {} : { role }),
    ...(maxTokens === undefined ? {} : { max_tokens: positive("--max-tokens", maxTokens, true) }),
    ...(maxUsd === undefined ? {} : { max_usd: positive("--max-usd", maxUsd, false) }),
    ...(timeout === undefined ? {} : { timeout_ms: durationOf(timeout) }),
  };
}

/** Which parameters are lists the role knows, and the daemon the role. */
async function typedParams(
  client: Client,
  role: string | undefined,
  params: RawParams,
): Promise<RawParams> {
  if (role === undefined || Object.keys(params).length === 0) return params;
  return splitLists((await client.call("role.show", { name: role })).role, params);
}

function orchestrationOf({ role, orchestration }: SubmitOptions): Orchestration {
  const chosen = Orchestration.safeParse(orchestration ?? (role === undefined ? "auto" : "direct"));
  if (!chosen.success) {
    throw new AgentdError("usage", "submit", `--orchestration ${orchestration ?? ""}: unknown`, {
      hint: "It is one of auto, plan, direct.",
    });
  }
  if (role !== undefined && chosen.data === "plan") {
    throw new AgentdError("usage", "submit", "--role runs one agent and takes no plan");
  }
  return chosen.data;
}

function positive(option: string, text: string, whole: boolean): number {
  const value = Number(text);
  const fits = Number.isFinite(value) && value > 0 && (!whole || Number.isSafeInteger(value));
  if (text.trim() !== "" && fits) return value;
  const noun = whole ? "a whole number over 0" : "a number over 0";
  throw new AgentdError("usage", "submit", `${option} ${text}: expected ${noun}`);
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return Math.max(1, Math.round(ms));
  throw new AgentdError(
    "usage",
    "submit",
    `--timeout ${text}: expected a time as 90s, 10m or 1h30m`,
  );
}
