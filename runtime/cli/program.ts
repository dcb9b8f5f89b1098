import { resolve } from "node:path";
import { Command as Commander, CommanderError } from "commander";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ExitCode } from "../protocol/error-code.js";
import { places } from "../protocol/places.js";
import { VERSION } from "../version.js";
import type { Heard } from "./client.js";
import type { Command } from "./command.js";
import { addGlobalOptions } from "./command-tree.js";
import type { CliIo } from "./io.js";
import { printError } from "./print-error.js";
import { styleFor } from "./style.js";
import { registerVerbs } from "./verbs.js";

/** The whole command line: parses, runs one verb, prints an error. Never throws; gives the process's exit code. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  const unread = new AbortController();
  const onOutputError = () => unread.abort();
  // For good: a reader that has gone shows only after the last line was written. On standard error nobody is left to be told.
  io.stdout.on("error", onOutputError);
  io.stderr.on("error", () => {});
  const program = newProgram(io);
  let exitCode: ExitCode = 0;
  const heard: Heard[] = [];
  registerVerbs(program, async (verb) => {
    exitCode = await verb(commandOf(program, io, unread.signal, heard));
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (thrown) {
    // Help and version come as exceptions, too, after they were printed.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    const error = (await explainedBy(heard, thrown)) ?? asAgentdError(thrown, program);
    return printError(io, error, argv.includes("--json"));
  }
}

/** What a strange answer of the daemon explains is no defect of ours. */
async function explainedBy(heard: readonly Heard[], thrown: unknown): Promise<unknown> {
  if (heard.length === 0 || thrown instanceof AgentdError) return undefined;
  const { checkHeard } = await import("./check-heard.js");
  return checkHeard(heard, thrown);
}

function newProgram(io: CliIo): Commander {
  return addGlobalOptions(new Commander("agentd"))
    .description("aaOS, the operating system for agents: the daemon and its operator's commands.")
    .version(VERSION, "-V, --version")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Errors are printed once, by printError.
      outputError: () => {},
    });
}

function commandOf(program: Commander, io: CliIo, signal: AbortSignal, heard: Heard[]): Command {
  const options = program.opts<{ root?: string; socket?: string; json?: boolean }>();
  const root = options.root ?? io.root;
  return {
    io,
    json: options.json === true,
    style: styleFor(io),
    signal,
    heard,
    places: places({
      share: io.share,
      ...(root === undefined || root === "" ? {} : { root: resolve(io.cwd, root) }),
      ...(options.socket === undefined ? {} : { socket: resolve(io.cwd, options.socket) }),
    }),
  };
}

function asAgentdError(thrown: unknown, program: Commander): unknown {
  if (!(thrown instanceof CommanderError)) return thrown;
  // Help that nobody asked for: a command that needs another after it.
  const isHelp = thrown.code === "commander.help";
  const text = isHelp ? "a command is missing" : thrown.message.replace(/^error: /, "");
  const verb = program.commands.find((command) => command.name() === program.args[0])?.name();
  return new AgentdError("usage", "read arguments", text.split("\n").join(" ").trim(), {
    hint: `See \`agentd ${verb === undefined ? "" : `${verb} `}--help\`.`,
  });
}
