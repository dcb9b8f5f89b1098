import type { Command as Commander } from "commander";

export const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

/** What says how a goal is to be carried out, now or later. */
export function withRunOptions(command: Commander): Commander {
  return command
    .option("-f, --file <FILE>", "read the goal from FILE, - for standard input")
    .option("--role <NAME>", "one agent of this role, no planner")
    .option("--param <K=V>", "a parameter of that role; a list as K=a,b (repeatable)", collect)
    .option("--orchestration <MODE>", "auto, plan or direct")
    .option("--max-tokens <N>", "most tokens of this run")
    .option("--max-usd <X>", "most money of this run")
    .option("--timeout <DUR>", "longest time of this run: 90s, 10m, 1h30m");
}
