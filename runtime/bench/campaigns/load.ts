import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  Worker,
  workerData,
} from "node:worker_threads";
import { connectTo } from "../../cli/client.js";
import { makeWorld, useModel, type World } from "../../e2e/world.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { rawClient } from "../../test/raw-client.js";

/**
 * Submits many goals at once, again and again, to one daemon. `node dist/bench/campaigns/load.js [GOALS [ROUNDS]]` (1000, 5): each
 * goal is a client of its own; its agent asks a model, writes a file in a confined worker, and asks once more. Meanwhile `run.list`
 * is asked every 100 ms. Prints a Markdown table, a row for each round and one for all, and ends with 1 where a goal was neither taken
 * nor refused for a stated reason, a run did not succeed, the daemon had more than 250 MB, or 50 ms did not do for 99 of 100 lists.
 */
const [, , goals = "1000", rounds = "5"] = process.argv;
const MODEL = fileURLToPath(new URL("../../test/scripted-model-main.js", import.meta.url));
const MAX_RSS_MB = 250;
const MAX_LIST_MS = 50;

interface Round {
  readonly accepted: number;
  /** How often each reason was given. */
  readonly refused: Readonly<Record<string, number>>;
  /** Goals of which nobody can say what became of them. */
  readonly lost: number;
  readonly submit_s: number;
  readonly took_s: number;
  readonly states: Readonly<Record<string, number>>;
  readonly lists: readonly number[];
  readonly rss_mb: number;
  readonly peak_mb: number;
}

const ROLE = (dir: string) => `name: clerk
system_prompt: Writes one file.
message_template: "Write {what}"
parameters: {what: {type: string, required: true}}
capabilities: ["file_write: ${dir}/*"]
`;

/** In a process of its own: what the model's server costs is not the daemon's. */
async function startModel(world: World): Promise<{ child: ChildProcess; url: string }> {
  const call = { name: "file_write", input: { path: `${world.out}/mark`, content: "written\n" } };
  const script = [
    { match: { tool_result: "bytes_written" }, reply: "It is written." },
    { reply: { tool_calls: [call] } },
  ];
  const file = world.put("script.json", JSON.stringify(script));
  const child = spawn(process.execPath, [MODEL, file], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { child, url: line.toString("utf8").trim() };
}

async function oneRound(world: World, number: number): Promise<Round> {
  const client = connectTo(world.socket);
  const started = performance.now();
  const endOfLists = startProbe(world);
  const answers = await Promise.all(
    Array.from({ length: Number(goals) }, (_, n) => submitOne(client, `${number}.${n}`)),
  );
  const submit_s = (performance.now() - started) / 1_000;
  while ((await client.call("run.list", {})).runs.length > 0) await sleep(250);
  const took_s = (performance.now() - started) / 1_000;
  const lists = await endOfLists();
  const { runs } = await client.call("run.list", { all: true });
  const mine = new Set(answers.flatMap((answer) => ("run_id" in answer ? [answer.run_id] : [])));
  const refusals = answers.flatMap((answer) => ("refused" in answer ? [answer.refused] : []));
  return {
    accepted: mine.size,
    refused: counted(refusals),
    lost: answers.filter((answer) => "lost" in answer).length,
    submit_s,
    took_s,
    states: counted(runs.filter(({ run_id }) => mine.has(run_id)).map(({ state }) => state)),
    lists,
    rss_mb: memoryMb(world.daemon().pid, "VmRSS"),
    peak_mb: memoryMb(world.daemon().pid, "VmHWM"),
  };
}

type Answer =
  | { readonly run_id: string }
  | { readonly refused: string }
  | { readonly lost: string };

async function submitOne(client: ReturnType<typeof connectTo>, what: string): Promise<Answer> {
  try {
    return await client.call("run.submit", {
      goal: `Write ${what}`,
      role: "clerk",
      params: { what },
    });
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    const { code, message } = thrown;
    if (code === "connection_lost" || code === "daemon_unreachable") return { lost: message };
    return { refused: `${code}: ${message}` };
  }
}

/** Asks for the list until it is told to end, on a thread of its own and as a new client each time; gives back how long each took, in ms. */
async function probe({ socket, port }: { readonly socket: string; readonly port: MessagePort }) {
  const took: number[] = [];
  const over = new AbortController();
  port.once("message", () => over.abort());
  while (!over.signal.aborted) {
    const asked = performance.now();
    using client = await rawClient(socket);
    client.request("run.list", {});
    const answer = await client.next();
    if (answer?.result === undefined) throw new Error(`no list: ${JSON.stringify(answer)}`);
    took.push(performance.now() - asked);
    await sleep(100);
  }
  port.postMessage(took);
}

function startProbe(world: World): () => Promise<number[]> {
  const { port1, port2 } = new MessageChannel();
  const workerData = { socket: world.socket, port: port2 };
  const thread = new Worker(fileURLToPath(import.meta.url), { workerData, transferList: [port2] });
  const answer = once(port1, "message");
  return async () => {
    port1.postMessage("enough");
    const [took] = (await answer) as [number[]];
    await thread.terminate();
    return took.sort((a, b) => a - b);
  };
}

function counted(all: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of all) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

function memoryMb(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
}

async function main(): Promise<void> {
  await using world = await makeWorld();
  const model = await startModel(world);
  const done: Round[] = [];
  try {
    useModel(world, "openai", `${model.url}/v1`);
    world.put("etc/aaos/roles/clerk.yaml", ROLE(world.out));
    await world.start();
    process.stdout.write(`${HEADING.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`);
    for (let n = 1; n <= Number(rounds); n++) {
      const round = await oneRound(world, n);
      done.push(round);
      process.stdout.write(`| ${rowOf(round, n).join(" | ")} |\n`);
    }
  } finally {
    model.child.kill();
  }
  const lists = done.flatMap((round) => round.lists).sort((a, b) => a - b);
  const figures = [0.5, 0.99, 1].map((part) => at(lists, part).toFixed(1));
  process.stdout.write(`| all | | | | | | | ${[lists.length, ...figures].join(" | ")} | | |\n`);
  if (!done.every(isAsPromised) || at(lists, 0.99) > MAX_LIST_MS) process.exitCode = 1;
}

const COLUMNS = [
  ...["round", "accepted", "refused", "lost", "acknowledged in, s", "all ended in, s", "ended as"],
  ...["lists", "list p50, ms", "p99", "worst", "RSS after, MB", "peak, MB"],
];
const HEADING = [COLUMNS, COLUMNS.map(() => "---")];

function rowOf(round: Round, number: number): readonly (string | number)[] {
  const { accepted, lost, submit_s, took_s, lists, rss_mb, peak_mb } = round;
  return [
    ...[number, accepted, textOf(round.refused), lost, submit_s.toFixed(1), took_s.toFixed(1)],
    ...[textOf(round.states), lists.length],
    ...[0.5, 0.99, 1].map((part) => at(lists, part).toFixed(1)),
    ...[rss_mb.toFixed(0), peak_mb.toFixed(0)],
  ];
}

function isAsPromised({ accepted, lost, states, peak_mb }: Round): boolean {
  return lost === 0 && states["succeeded"] === accepted && peak_mb < MAX_RSS_MB;
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

function textOf(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  return parts.length === 0 ? "0" : parts.join(", ");
}

if (isMainThread) await main();
else await probe(workerData as Parameters<typeof probe>[0]);
