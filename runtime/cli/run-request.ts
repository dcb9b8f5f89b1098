import { parseDuration } from "../base/duration.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { Orchestration } from "../protocol/run.js";
import type { Client, MethodInput } from "./client.js";
import { parseParams, type RawParams } from "./parse-params.js";
import { splitLists } from "./split-lists.js";

/** The options that say how a goal is to be carried out. */
export interface RunOptions {
  readonly role?: string;
  readonly param?: readonly string[];
  readonly orchestration?: string;
  readonly maxTokens?: string;
  readonly maxUsd?: string;
  readonly timeout?: string;
}

/** The goal and its options as a request. Throws `usage` naming the option that is wrong. */
export async function runRequest(
  client: Client,
  goal: string,
  options: RunOptions,
): Promise<MethodInput<"run.submit">> {
  const asked = requestOf(goal, options);
  return { ...asked, params: await typedParams(client, options.role, asked.params) };
}

function requestOf(
  goal: string,
  options: RunOptions,
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

function orchestrationOf({ role, orchestration }: RunOptions): Orchestration {
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
