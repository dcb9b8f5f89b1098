// A run against its critical path: a scripted model answers each call after DELAY_MS, and the run, from the request on the socket to
// its last frame, may take little more than its longest chain of model calls and pages. Two plans: the comparison of two pages (two
// fetchers, two analyzers, one writer), and an uneven DAG in which batches of steps would wait for each other. Prints a Markdown table.
//   node dist/bench/critical-path.js [RUNS [DELAY_MS]]
import { join } from "node:path";
import { article, type PageServer, startPages } from "../e2e/page-server.js";
import { comparison, goalOf, outputOf, PLANNER, scriptedTeam } from "../e2e/scripted-team.js";
import { makeWorld, useModel, type World } from "../e2e/world.js";
import type { Json } from "../protocol/json.js";
import { rawClient } from "../test/raw-client.js";
import { type ScriptedModel, startScriptedModel } from "../test/scripted-model.js";

interface Step {
  readonly id: string;
  readonly role: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly depends_on?: readonly string[];
}

interface Measured {
  readonly name: string;
  readonly steps: number;
  readonly calls: number;
  readonly criticalMs: number;
  readonly runMs: number;
}

const SLOW_PAGE_MS = 2_500;
const [, , runs = "3", delay = "1000"] = process.argv;
const delayMs = Number(delay);

/** The slow page is read by one analyzer; the fast one's notes are read again by another. Batches would need a second more than 10. */
function uneven(goal: string) {
  const plan = comparison(goal);
  const again: Step = {
    id: "read-2-again",
    role: "analyzer",
    params: {
      inputs: ["{run}/notes-2.md"],
      question: "What follows?",
      output: "{run}/more-2.md",
    },
    depends_on: ["read-2"],
  };
  const steps = plan.steps.map((step) =>
    step.id === "write"
      ? {
          ...step,
          params: { ...step.params, inputs: ["{run}/notes-1.md", "{run}/more-2.md"] },
          depends_on: ["read-1", "read-2-again"],
        }
      : step,
  );
  return { ...plan, steps: [...steps, again] };
}

/** The longest chain, in ms: a fetcher costs its page's time, a model's step its calls. */
function criticalPath(
  steps: readonly Step[],
  costMs: (step: Step) => number,
): { readonly ms: number; readonly chain: readonly Step[] } {
  const chains = steps.map((step) => chainTo(step, steps, costMs));
  return chains.reduce((longest, chain) => (chain.ms > longest.ms ? chain : longest));
}

function chainTo(
  step: Step,
  steps: readonly Step[],
  costMs: (step: Step) => number,
): { readonly ms: number; readonly chain: readonly Step[] } {
  const before = (step.depends_on ?? []).flatMap((id) =>
    steps.filter((other) => other.id === id).map((other) => chainTo(other, steps, costMs)),
  );
  const none = { ms: 0, chain: [] as readonly Step[] };
  const longest = before.reduce((best, chain) => (chain.ms > best.ms ? chain : best), none);
  return { ms: longest.ms + costMs(step), chain: [...longest.chain, step] };
}

async function runOnce(
  name: string,
  make: (goal: string) => { readonly steps: readonly Step[] },
  at: { readonly world: World; readonly pages: PageServer; readonly model: ScriptedModel },
): Promise<Measured> {
  const { world, pages, model } = at;
  const urls = ["/slow", "/fast"].map((path) => pages.url(path));
  const output = join(world.out, `${name}-${Date.now()}.md`);
  const goal = `${name}: fetch ${urls.join(" and ")}, compare them, write ${output}`;
  const before = model.requests.length;
  using client = await rawClient(world.socket);
  const started = performance.now();
  client.request("agent.submit_streaming", { goal });
  const end = (await client.rest()).at(-1);
  const runMs = performance.now() - started;
  if (end?.kind !== "end" || end["exit_code"] !== 0) throw new Error(JSON.stringify(end));
  const requests = model.requests.slice(before);
  const callsOf = ({ params }: Step): number => {
    const file = String(params["output"]).replace("{run}", "");
    return requests.filter((request) => outputOf(request).endsWith(file)).length;
  };
  const { steps } = make(goal);
  const { ms, chain } = criticalPath(steps, (step) =>
    step.role === "fetcher"
      ? pages.tookMs(new URL(String(step.params["url"])).pathname)
      : callsOf(step) * delayMs,
  );
  const planner = requests.filter(({ system }) => PLANNER.test(system)).length;
  const agents = chain.filter(({ role }) => role !== "fetcher").map(callsOf);
  const calls = agents.reduce((sum, count) => sum + count, planner);
  return { name, steps: steps.length, calls, criticalMs: ms + planner * delayMs, runMs };
}

function row(measured: readonly Measured[]): string {
  const sorted = measured.toSorted((a, b) => a.runMs / a.criticalMs - b.runMs / b.criticalMs);
  const best = sorted.at(0);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const worst = sorted.at(-1);
  if (best === undefined || middle === undefined || worst === undefined) return "";
  const seconds = (ms: number): string => (ms / 1_000).toFixed(2);
  const ratio = (one: Measured): string => (one.runMs / one.criticalMs).toFixed(3);
  return `| ${[
    middle.name,
    middle.steps,
    middle.calls,
    seconds(middle.criticalMs),
    seconds(middle.runMs),
    ratio(best),
    ratio(middle),
    ratio(worst),
    sorted.length,
  ].join(" | ")} |\n`;
}

const pages = await startPages({
  "/slow": { body: article("Slow", ["Slow pages take a while."]), delayMs: SLOW_PAGE_MS },
  "/fast": { body: article("Fast", ["Fast pages do not."]) },
});
const model = await startScriptedModel({
  rules: [
    {
      match: { system: PLANNER, last: "uneven:" },
      delayMs,
      reply: (request) => JSON.stringify(uneven(goalOf(request))),
    },
    ...scriptedTeam(delayMs),
  ],
});
const world = await makeWorld();
try {
  useModel(world, "openai", model.openai_url);
  await world.start();
  process.stdout.write(
    "| plan | steps | model calls in sequence | critical path, s | run, s | ratio, best | median | worst | runs |\n" +
      `|${"---|".repeat(9)}\n`,
  );
  for (const [name, make] of [
    ["comparison", comparison],
    ["uneven", uneven],
  ] as const) {
    const measured: Measured[] = [];
    for (let i = 0; i < Number(runs); i++) {
      if (name === "comparison")
        pages.set("/slow", { body: article("Page", ["One more page."]), delayMs: 0 });
      else pages.set("/slow", { body: article("Slow", ["Slow."]), delayMs: SLOW_PAGE_MS });
      measured.push(await runOnce(name, make, { world, pages, model }));
    }
    process.stdout.write(row(measured));
  }
} finally {
  await world[Symbol.asyncDispose]();
  await pages.close();
  await model.close();
}
