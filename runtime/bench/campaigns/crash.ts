import { type CrashReport, crashRun } from "../../e2e/crash-run.js";
import { crashWorld } from "../../e2e/crash-world.js";

/**
 * Kills the daemon at a random moment of a run of nine steps with effects outside, again and again, and looks at what is left each
 * time. `node dist/bench/campaigns/crash.js [RUNS]` (200) prints a line for each run that was not as it would have been, and one
 * with the figures; ends with 1 where there was such a run. The database is a new one after 25 runs.
 */
const runs = Number(process.argv[2] ?? 200);
const A_WORLD = 25;
const reports: CrashReport[] = [];

while (reports.length < runs) {
  await using crash = await crashWorld();
  await crash.world.start();
  const whole = await crashRun(crash, "whole", undefined);
  for (let n = 0; n < Math.min(A_WORLD, runs - reports.length); ) {
    const report = await crashRun(crash, `crash-${n++}`, Math.random() * whole.took_ms);
    reports.push(report);
    if (report.problems.length > 0) print(report);
  }
}

const found: Record<string, number> = {};
for (const { found: state } of reports) found[state] = (found[state] ?? 0) + 1;
const bad = reports.filter(({ problems }) => problems.length > 0).length;
print({
  runs: reports.length,
  as_they_would_have_been: reports.length - bad,
  found,
  steps_under_way: sum(({ steps_under_way }) => steps_under_way),
  unknown_outcomes: sum(({ unknown_outcomes }) => unknown_outcomes),
});
if (bad > 0) process.exitCode = 1;

function sum(of: (report: CrashReport) => number): number {
  return reports.reduce((total, report) => total + of(report), 0);
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
