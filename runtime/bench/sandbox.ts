// What confinement costs: the start of a static program confined, bare, under bubblewrap and under sandbox-runtime; a 4 KB read through the port; a burst
// of launches and the event loop's worst delay meanwhile, with a small and a 1 GB heap; memory of agents. Prints a Markdown table.
//   node dist/bench/sandbox.js [ROUNDS]
import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openSandboxRuntime } from "../conformance/run-sandbox-runtime.js";
import type { ConfinementPlan } from "../protocol/confinement.js";
import { NATIVE_BUILD, probePlan, startProbeHost } from "../test/confined.js";
import { openTestAgent, processesWith, testBase } from "../test/confined-agent.js";
import { granted } from "../test/tool-context.js";

const rounds = Number(process.argv[2] ?? 300);
const BWRAP = "/usr/bin/bwrap";
const TRUE = `${NATIVE_BUILD}/true`;
const signal = new AbortController().signal;
const host = startProbeHost();
const rows: (readonly [what: string, figure: string, against: string])[] = [];

/** The static program in every layer; nothing is granted. */
const plan: ConfinementPlan = {
  ...probePlan([]),
  root: [{ type: "bind", mode: "exec", path: TRUE }],
  executable: TRUE,
  argv: ["true"],
};
plan.landlock.fs_rules = [{ path: TRUE, rights: ["execute", "read_file"] }];

async function launch(): Promise<void> {
  const nulls = [0, 1, 2].map(() => openSync("/dev/null", "r+"));
  const launched = await host.spawner.spawn(plan, nulls, signal);
  if (!launched.ok) throw new Error(`${launched.step}: ${launched.errno}`);
  await launched.child.exited;
}
function start(command: string, args: readonly string[]): () => Promise<void> {
  return () =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, { stdio: "ignore", env: {} });
      child.once("error", reject);
      child.once("exit", (code) =>
        code === 0 ? resolve() : reject(new Error(`${command}: ${code}`)),
      );
    });
}
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
function at(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
const ms = (value: number) => `${value.toFixed(2)} ms`;
const us = (value: number) => `${(value * 1_000).toFixed(0)} µs`;

/** One after the other in each round, so that what else the machine does falls on all alike. */
async function starts(): Promise<void> {
  const ways: Record<string, () => Promise<void>> = { confined: launch, bare: start(TRUE, []) };
  if (existsSync(BWRAP)) {
    ways["bwrap"] = start(BWRAP, ["--unshare-all", "--ro-bind", "/", "/", "--", TRUE]);
  }
  const times = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++)
    for (const [name, way] of Object.entries(ways)) times.get(name)?.push(await timeOf(way));
  const median = (name: string) => at(times.get(name) ?? [], 0.5);
  rows.push([
    "static program, every layer, start to exit, p50",
    ms(median("confined")),
    `bare from Node ${ms(median("bare"))}, ratio ${(median("confined") / median("bare")).toFixed(2)}`,
  ]);
  const bwrap = median("bwrap");
  const srt = await sandboxRuntime();
  rows.push([
    "the same against `bwrap --unshare-all`",
    ms(median("confined")),
    Number.isNaN(bwrap)
      ? "bubblewrap is not installed"
      : `${ms(bwrap)}, ratio ${(median("confined") / bwrap).toFixed(2)}`,
  ]);
  rows.push([
    "the same against sandbox-runtime as a library",
    ms(median("confined")),
    srt === undefined
      ? "not installed: `npm run conformance` puts it into build/"
      : `${ms(srt)}, ratio ${(median("confined") / srt).toFixed(2)}`,
  ]);
}

/** The median of a command under `@anthropic-ai/sandbox-runtime`, its library set up once: the faster way to use it. */
async function sandboxRuntime(): Promise<number | undefined> {
  const folder = fileURLToPath(new URL("../../build/sandbox-runtime", import.meta.url));
  if (!existsSync(join(folder, "node_modules"))) return undefined;
  const base = await testBase();
  const places: Readonly<Record<string, string>> = { probe: TRUE, secret: `${base}/secret` };
  const fill = (text: string) =>
    text.replace(/{(\w+)}/g, (_, name: string) => places[name] ?? base);
  const srt = await openSandboxRuntime(folder, { fill });
  try {
    const times: number[] = [];
    for (let round = 0; round < Math.min(rounds, 40); round++)
      times.push(
        await timeOf(async () => {
          const [command = "", ...args] = await srt.command({ tokens: "work" }, []);
          await start(command, args)();
        }),
      );
    return at(times, 0.5);
  } finally {
    await srt.close();
    await rm(base, { recursive: true, force: true });
  }
}

async function reads(): Promise<void> {
  const base = await testBase();
  const path = `${base}/in/four`;
  writeFileSync(path, "x".repeat(4_096));
  await using agent = await openTestAgent(base, { grants: ["file_read: {base}/in/*"] });
  const { files } = agent.unchecked();
  const proof = granted({ kind: "file_read", path });
  const range = { offset_bytes: 0, max_bytes: 4_096 };
  const [port, node]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds * 20; round++) {
    const ours = await timeOf(() => files.read(proof, range, signal));
    const theirs = await timeOf(() => readFile(path));
    if (round < 200) continue;
    port.push(ours);
    node.push(theirs);
  }
  for (const part of [0.5, 0.99])
    rows.push([
      `4 KB read through the port, p${part * 100}`,
      us(at(port, part)),
      `fs.promises.readFile ${us(at(node, part))}, ratio ${(at(port, part) / at(node, part)).toFixed(2)}`,
    ]);
  const [worker = 0] = await processesWith("aaos-files");
  const init = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${worker}/status`, "utf8"))?.[1]);
  rows.push([
    "private memory of an active agent without web",
    `${((privateKb(worker) + privateKb(init)) / 1_024).toFixed(2)} MB`,
    "worker and its init; aim under 1.5 MB",
  ]);
  await idle(agent);
}

async function idle({ confinement }: Awaited<ReturnType<typeof openTestAgent>>): Promise<void> {
  const unused = () => {
    throw new Error("an idle agent asks nothing");
  };
  const used = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  const agents = Array.from({ length: 2_000 }, (_, n) =>
    confinement.openPorts({
      id: `idle-${n}`,
      compile: unused,
      judge: unused,
      judgeAddress: unused,
      report: unused,
    }),
  );
  rows.push([
    "memory of an idle agent's ports",
    `${((used() - before) / agents.length / 1_024).toFixed(1)} KB`,
    "no process; aim under 50 KB",
  ]);
  await Promise.all(agents.map((agent) => agent.close()));
}

/** The smaps say nothing of a process that is not ours to look into. */
function privateKb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce(
    (sum, [, kb]) => sum + Number(kb),
    0,
  );
}

/** Eight at a time for three seconds. */
async function burst(title: string): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await sleep(50);
  delay.enable();
  const started = performance.now();
  let count = 0;
  const lane = async () => {
    while (performance.now() - started < 3_000) {
      await launch();
      count += 1;
      await turn();
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  delay.disable();
  const rate = count / ((performance.now() - started) / 1_000);
  rows.push([
    `launches, eight at a time${title}`,
    `${rate.toFixed(0)} / s`,
    `event loop's worst delay ${ms(delay.max / 1e6)}, p99 ${ms(delay.percentile(99) / 1e6)} (1 ms is the clock's own)`,
  ]);
}

await launch();
await starts();
await reads();
await burst("");
const ballast = Array.from({ length: 130 }, () => new Array<number>(1 << 20).fill(1.5));
await burst(`, with ${Math.round(process.memoryUsage().heapUsed / 2 ** 20)} MB of heap`);
if (ballast.length === 0) process.exitCode = 1;
await host.close();
process.stdout.write("| what | figure | against |\n|---|---|---|\n");
for (const row of rows) process.stdout.write(`| ${row.join(" | ")} |\n`);
