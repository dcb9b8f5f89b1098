import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { plainText } from "../plain-text.js";
import { printJson, printLine } from "../print.js";
import { readGoal } from "../read-goal.js";
import { readTextFile } from "../read-text-file.js";

/** A new agent of a manifest, by its name or its file; prints its id. It lives until `agentd stop`. */
export async function agentsSpawn(command: Command, manifest: string): Promise<ExitCode> {
  const file = resolve(command.io.cwd, manifest);
  const isFile = /[/.]/.test(manifest) && existsSync(file);
  const source = { manifest: isFile ? readTextFile(file) : manifest };
  const spawned = await connectTo(command.places.socketPath, command.heard).call(
    "agent.spawn",
    source,
  );
  if (command.json) printJson(command, spawned);
  else printLine(command, spawned.agent_id);
  return 0;
}

/** A message to an agent that lives, by its id or name; prints the answer, or with `--no-wait` the id of the message. */
export async function agentsSend(
  command: Command,
  agent: string,
  words: readonly string[],
  options: { readonly file?: string; readonly wait?: boolean },
): Promise<ExitCode> {
  const message = await readGoal(command, words, options.file);
  const client = connectTo(command.places.socketPath, command.heard);
  const agent_id = await idOf(command, agent);
  const wait = options.wait ?? true;
  const sent = await client.call("agent.run", { agent_id, message, wait }, command.signal);
  if (command.json) printJson(command, sent);
  else if ("trace_id" in sent) printLine(command, sent.trace_id);
  else if (sent.response !== "") printLine(command, plainText(sent.response).trimEnd());
  if ("trace_id" in sent || sent.stop_reason === "complete") return 0;
  if (!command.json)
    command.io.stderr.write(`agentd: ${sent.stop_reason}: ${plainText(sent.message ?? "")}\n`);
  return 1;
}

/** What was said to the agent before no longer counts. */
export async function agentsClear(command: Command, agent: string): Promise<ExitCode> {
  const agent_id = await idOf(command, agent);
  const cleared = await connectTo(command.places.socketPath, command.heard).call("agent.clear", {
    agent_id,
  });
  if (command.json) printJson(command, cleared);
  else printLine(command, `cleared ${cleared.agent_id}`);
  return 0;
}

/** The agent of that name, where exactly one lives, or what was given, as an id. */
async function idOf(command: Command, agent: string): Promise<string> {
  const { agents } = await connectTo(command.places.socketPath, command.heard).call(
    "agent.list",
    {},
  );
  const named = agents.filter(({ name, run_id }) => run_id === null && name === agent);
  const [first, ...others] = named;
  if (first === undefined) return agent;
  if (others.length === 0) return first.agent_id;
  const ids = named.map(({ agent_id }) => agent_id).join(", ");
  throw new AgentdError("ambiguous_id", "find agent", `agents called ${agent}: ${ids}`);
}
