import { z } from "zod";
import { toolDenied, toolFailure } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { programResult } from "../program-output.js";

const TIMEOUT_MS = 240_000;
const MAX_OUTPUT_BYTES = 8_192;
/** Options by which cargo would work on another place than the one granted, or by another configuration. */
const PLACES =
  /^(?:--manifest-path|--config|--target-dir|--artifact-dir|--out-dir|--lockfile-path|-C|-Z)/;

/** Runs one of cargo's checking subcommands in a workspace. */
export const cargoRun = defineTool({
  name: "cargo_run",
  description:
    "Runs `cargo check|test|clippy|fmt|build` in a Rust workspace, at most 240 s. Gives exit_code, stdout and stderr (each at most 8 KiB, " +
    "the middle left out). Arguments that lead cargo to another place or configuration are refused.",
  input: z.strictObject({
    workspace: AbsolutePath,
    subcommand: z.enum(["check", "test", "clippy", "fmt", "build"]),
    args: z.array(z.string().max(4_096)).max(100).default([]),
  }),
  read_only: false,
  implied_by: ["cargo_run"],
  run: async ({ workspace, subcommand, args }, { ports, grant, signal }) => {
    const refused = args.find((arg, at) => !isAllowed(subcommand, arg, isPassedOn(args, at)));
    if (refused !== undefined) {
      return toolFailure(
        "invalid_input",
        `args: ${refused} is not allowed for cargo ${subcommand}`,
      );
    }
    const place = await grant({ kind: "cargo_run", dir: workspace });
    if (!place.ok) return toolDenied(place.denial);
    const call = {
      program: "cargo",
      args: [subcommand, ...args],
      cwd: place.granted.dir,
      timeout_ms: TIMEOUT_MS,
      max_output_bytes: MAX_OUTPUT_BYTES,
      env: { CARGO_TERM_COLOR: "never" },
    };
    const outcome = await ports.programs.run(place.granted, call, signal);
    return outcome.ok ? programResult(`cargo ${subcommand}`, outcome.value) : fromPort(outcome);
  },
});

/** Whether an argument stands after `--`: it is then for the program that cargo runs. */
function isPassedOn(args: readonly string[], at: number): boolean {
  const end = args.indexOf("--");
  return end !== -1 && at > end;
}

/** rustfmt writes every file named after `--`, wherever it lies: only its options may follow. */
function isAllowed(subcommand: string, arg: string, passedOn: boolean): boolean {
  if (arg.includes("\0") || arg.startsWith("+")) return false;
  if (!passedOn) return !PLACES.test(arg);
  return subcommand !== "fmt" || (arg.startsWith("-") && !arg.startsWith("--config-path"));
}
