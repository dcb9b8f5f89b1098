import type { Command as Commander } from "commander";
import type { ExitCode } from "../protocol/error-code.js";
import type { Command } from "./command.js";

/** Runs one verb with what the global options say. */
export type Act = (verb: (command: Command) => Promise<ExitCode>) => Promise<void>;

export const ID_HELP = "the id, or at least 4 characters of its beginning or end";

/** The verbs that look at runs and agents and tell them what to do. */
export function registerRuns(program: Commander, act: Act): void {
  program
    .command("list")
    .description("runs and agents now")
    .option("--all", "those that ended, too")
    .action((options: { all?: boolean }) =>
      act(async (command) => (await import("./verbs/list.js")).list(command, options)),
    );
  program
    .command("status")
    .description(
      "one run or agent: state, steps, budgets, grants, confinement in force; without ID the machine",
    )
    .argument("[ID]", ID_HELP)
    .action((id?: string) =>
      act(async (command) => (await import("./verbs/status.js")).status(command, id)),
    );
  program
    .command("stop")
    .description("end a run or an agent with all that belongs to it")
    .argument("<ID>", ID_HELP)
    .action((id: string) =>
      act(async (command) => (await import("./verbs/stop.js")).stop(command, id)),
    );
  program
    .command("pause")
    .description("let a run come to rest: no turn and no call begins any more")
    .argument("<ID>", ID_HELP)
    .action((id: string) =>
      act(async (command) => (await import("./verbs/pause.js")).pause(command, id)),
    );
  program
    .command("resume")
    .description("let a paused run go on where it stood")
    .argument("<ID>", ID_HELP)
    .action((id: string) =>
      act(async (command) => (await import("./verbs/pause.js")).resume(command, id)),
    );
  program
    .command("logs")
    .description("what has happened in a run or to an agent")
    .argument("<ID>", ID_HELP)
    .option("-f, --follow", "go on until it has ended")
    .option("-v, --verbose", "show every event")
    .action((id: string, options: { follow?: boolean; verbose?: boolean }) =>
      act(async (command) => (await import("./verbs/logs.js")).logs(command, id, options)),
    );
  program
    .command("result")
    .description("a run's document, to the terminal or a file")
    .argument("<ID>", ID_HELP)
    .option("-o, --output <FILE>", "write it to FILE")
    .action((id: string, options: { output?: string }) =>
      act(async (command) => (await import("./verbs/result.js")).result(command, id, options)),
    );
}
