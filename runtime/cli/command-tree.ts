import type { Command as Commander, Option } from "commander";

/** One option as it is typed and what it is for. */
export interface OptionShape {
  /** `-f, --file <FILE>`. */
  readonly flags: string;
  readonly long: string;
  /** `FILE`; undefined for a switch. */
  readonly value: string | undefined;
  readonly description: string;
}

/** A command with all that may stand behind it. */
export interface CommandShape {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly variadic: boolean;
    readonly description: string;
  }[];
  readonly options: readonly OptionShape[];
  readonly commands: readonly CommandShape[];
}

/** The options that every verb takes. */
export function addGlobalOptions(program: Commander): Commander {
  return program
    .option("--root <DIR>", "all of /etc, /var/lib and /run under DIR")
    .option("--socket <PATH>", "the daemon's socket")
    .option("--json", "results as JSON");
}

/** A command line as data: what the man pages and the shells' completions are made from. */
export function shapeOf(command: Commander): CommandShape {
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      variadic: argument.variadic,
      description: argument.description,
    })),
    options: command.options.map(optionShape),
    commands: command.commands.map(shapeOf),
  };
}

function optionShape({ flags, long, description }: Option): OptionShape {
  return {
    flags,
    long: long ?? flags,
    value: /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1]?.replace("...", ""),
    description,
  };
}
