// The operator's program from its start to its end, against Node doing nothing, taken in turn. `agentd list` asks a daemon that has
// run once. Wall time is what an operator waits; processor time is what does not change when others use the machine.
//   node dist/bench/cli.js [TIMES]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { makeWorld } from "../e2e/world.js";

interface Took {
  readonly wallMs: number;
  readonly cpuMs: number;
}

const times = Number(process.argv[2] ?? 31);
const agentd = fileURLToPath(new URL("../agentd.js", import.meta.url));
await using world = await makeWorld();
await world.start();
await world.cli(["submit", "Write /nowhere"]);

const programs: Readonly<Record<string, readonly string[]>> = {
  "node -e 0": ["-e", "0"],
  "agentd --version": [agentd, "--version"],
  "agentd list": [agentd, "--root", world.root, "list"],
  "agentd list --all": [agentd, "--root", world.root, "list", "--all"],
};
const took = new Map(Object.keys(programs).map((name) => [name, [] as Took[]]));
for (let n = 0; n < times; n++)
  for (const [name, args] of Object.entries(programs)) took.get(name)?.push(once(args));

const [bare] = [...took.values()].map(mediansOf);
const rows = [...took].map(([name, all]) => {
  const { wallMs, cpuMs } = mediansOf(all);
  const ratio = (mine: number, other = 1) => (mine / other).toFixed(2);
  return `| \`${name}\` | ${wallMs.toFixed(0)} | ${ratio(wallMs, bare?.wallMs)} | ${cpuMs.toFixed(0)} | ${ratio(cpuMs, bare?.cpuMs)} |`;
});
process.stdout.write(
  [
    "| program | wall, median ms | ratio | processor, median ms | ratio |",
    "|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n"),
);

function once(args: readonly string[]): Took {
  const before = process.hrtime.bigint();
  const { status, stderr } = spawnSync(
    "/bin/sh",
    ["-c", '"$@" >/dev/null && times >&2', "sh", process.execPath, ...args],
    { encoding: "utf8" },
  );
  const wallMs = Number(process.hrtime.bigint() - before) / 1e6;
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  return { wallMs, cpuMs: childrensMs(stderr) };
}

/** The second line of times(1p): user and system time of the shell's children, as 0m0.123s. */
function childrensMs(text: string): number {
  const [, children = ""] = text.trim().split("\n");
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1_000,
    0,
  );
}

function mediansOf(all: readonly Took[]): Took {
  const median = (key: keyof Took) =>
    all.map((one) => one[key]).sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
  return { wallMs: median("wallMs"), cpuMs: median("cpuMs") };
}
