import type { Command as Commander } from "commander";
import type { ExitCode } from "../protocol/error-code.js";
import type { CliHooks, Command } from "./command.js";
import type { SubmitOptions } from "./verbs/submit.js";

/** Runs one verb with what the global options say. */
type Act = (verb: (command: Command, hooks: CliHooks) => Promise<ExitCode>) => Promise<void>;

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Every verb with its arguments, on one screen. A verb's own file is loaded when it is called, so that the start is quick. */
export function registerVerbs(program: Commander, act: Act): void {
  program
    .command("run")
    .description("the daemon")
    .action(() => act((command, { runDaemon }) => runDaemon({ places: command.places })));
  registerRuns(program, act);
}

function registerRuns(program: Commander, act: Act): void {
  program
    .command("submit")
    .description("carry out a goal and show it; Ctrl-C detaches, the run goes on")
    .argument("[GOAL...]", "what is to be done")
    .option("-f, --file <FILE>", "read the goal from FILE, - for standard input")
    .option("--role <NAME>", "one agent of this role, no planner")
    .option("--param <K=V>", "a parameter of that role; a list as K=a,b (repeatable)", collect, [])
    .option("--orchestration <MODE>", "auto, plan or direct")
    .option("--detach", "print the run's id and leave")
    .option("-v, --verbose", "show every event")
    .option("--max-tokens <N>", "most tokens of this run")
    .option("--max-usd <X>", "most money of this run")
    .option("--timeout <DUR>", "longest time of this run: 90s, 10m, 1h30m")
    .action((words: string[], options: SubmitOptions) =>
      act(async (command) => (await import("./verbs/submit.js")).submit(command, words, options)),
    );
}
