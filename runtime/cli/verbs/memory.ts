import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { MEMORY_CATEGORIES, MemoryCategory } from "../../protocol/memory.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import { checkId } from "../find.js";
import { plural, shortId } from "../format.js";
import { plainLine } from "../plain-text.js";
import { printJson, printLine, printTable } from "../print.js";

export interface MemoryOptions {
  readonly owner?: string;
  readonly category?: string;
  readonly limit?: string;
}

/** What agents remember, newest first. */
export async function memoryList(command: Command, options: MemoryOptions): Promise<ExitCode> {
  const filter = { ...filterOf(options), ...limitOf(options, 10_000) };
  const { memories } = await connectTo(command.places.socketPath, command.heard).call(
    "memory.list",
    filter,
  );
  if (command.json) {
    printJson(command, { memories });
    return 0;
  }
  if (memories.length === 0) printLine(command, "No memories.");
  else {
    const rows = memories.map((one) => [
      shortId(one.memory_id),
      one.owner,
      one.category,
      one.stored_at.slice(0, 10),
      one.content,
    ]);
    printTable(command, ["MEMORY", "OWNER", "CATEGORY", "STORED", "CONTENT"], rows);
  }
  return 0;
}

/** A search by meaning and by words; the best first. */
export async function memoryQuery(
  command: Command,
  words: readonly string[],
  options: MemoryOptions,
): Promise<ExitCode> {
  const query = { query: words.join(" "), ...filterOf(options), ...limitOf(options, 100) };
  const found = await connectTo(command.places.socketPath, command.heard).call(
    "memory.query",
    query,
  );
  if (command.json) {
    printJson(command, found);
    return 0;
  }
  const { results, text_only } = found;
  if (results.length === 0) printLine(command, "No memory matches.");
  else {
    const rows = results.map((one) => [
      shortId(one.memory_id),
      one.score.toFixed(2),
      one.owner,
      one.category,
      one.content,
    ]);
    printTable(command, ["MEMORY", "SCORE", "OWNER", "CATEGORY", "CONTENT"], rows);
  }
  if (text_only !== null) {
    printLine(command, command.style.dim(`Searched by words alone: ${plainLine(text_only)}`));
  }
  return 0;
}

/** Erases memories for good, one by one or all of one identity. */
export async function memoryForget(
  command: Command,
  ids: readonly string[],
  { owner }: { readonly owner?: string },
): Promise<ExitCode> {
  if (ids.length > 0 === (owner !== undefined)) {
    throw new AgentdError("usage", "memory forget", "name memories by their ids, or one --owner", {
      hint: "`agentd memory list` shows both.",
    });
  }
  for (const id of ids) checkId(id);
  const report = await connectTo(command.places.socketPath, command.heard).call("memory.forget", {
    memory_ids: [...ids],
    ...(owner === undefined ? {} : { owner }),
  });
  if (command.json) {
    printJson(command, report);
    return 0;
  }
  const { memories, erased, kept } = report;
  const gone = memories === 1 ? "1 memory" : `${memories} memories`;
  printLine(command, `${gone} forgotten; ${plural(erased, "event")} of the journal erased`);
  if (kept > 0) {
    const what = `${plural(kept, "event")} of agents at work still hold some of it`;
    printLine(command, `${what}: forget it again when they have ended`);
  }
  return 0;
}

function filterOf({ owner, category }: MemoryOptions): {
  readonly owner?: string;
  readonly category?: MemoryCategory;
} {
  if (category === undefined) return owner === undefined ? {} : { owner };
  const parsed = MemoryCategory.safeParse(category);
  if (!parsed.success) {
    const known = MEMORY_CATEGORIES.join(", ");
    throw new AgentdError("usage", "memory", `--category ${category}: expected one of ${known}`);
  }
  return { category: parsed.data, ...(owner === undefined ? {} : { owner }) };
}

function limitOf({ limit }: MemoryOptions, most: number): { readonly limit?: number } {
  if (limit === undefined) return {};
  const count = Number(limit);
  if (Number.isSafeInteger(count) && count >= 1 && count <= most) return { limit: count };
  throw new AgentdError("usage", "memory", `--limit ${limit}: expected a number from 1 to ${most}`);
}
