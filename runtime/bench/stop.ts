import { type StopMoment, type StopReport, stopWorld } from "../e2e/stop-run.js";

/**
 * Stops a run, again and again, in the middle of a tool that sleeps, of a model call and of a launch, and looks from outside when the
 * last of its processes is gone. `node dist/bench/stop.js [TIMES]` (51) prints a Markdown table in ms.
 */
const times = Number(process.argv[2] ?? 51);
const moments = ["tool", "model", "spawn"] as const;
const reports: StopReport[] = [];

{
  await using world = await stopWorld();
  for (let n = 0; n < times; n++) reports.push(await world.stop(moments[n % 3] ?? "tool", n));
}

const rows = moments.map(rowOf);
process.stdout.write(
  [
    "| in the middle of | stops | answered, median ms | worst | no process left, median ms | worst | runs not cancelled |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n"),
);

function rowOf(moment: StopMoment): string {
  const of = reports.filter((report) => report.moment === moment);
  const sorted = (key: "answered_ms" | "gone_ms") =>
    of.map((one) => one[key]).sort((a, b) => a - b);
  const figures = (["answered_ms", "gone_ms"] as const).flatMap((key) => {
    const all = sorted(key);
    return [all[Math.floor(all.length / 2)] ?? 0, all.at(-1) ?? 0].map((ms) => ms.toFixed(0));
  });
  const odd = of.filter(({ state }) => state !== "cancelled").length;
  return `| ${[moment, of.length, ...figures, odd].join(" | ")} |`;
}
