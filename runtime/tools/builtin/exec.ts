import { z } from "zod";
import { toolDenied, toolFailure } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";
import { programResult } from "../program-output.js";

const MAX_OUTPUT_BYTES = 32_768;
const MAX_ARGS_BYTES = 131_072;
const MAX_STDIN_BYTES = 1_048_576;
const MAX_TIMEOUT_S = 3_600;

const Word = z.string().refine((text) => !text.includes("\0"), "must not hold a NUL character");

/** Runs one program, argv as given: no shell reads it, so that nothing in it is expanded. */
export const exec = defineTool({
  name: "exec",
  description:
    "Runs a program with arguments, without a shell: no pipes, globs, variables or redirections. `cwd` is the run's workspace unless " +
    "given. Gives exit_code, signal, stdout, stderr (each at most 32 KiB, the middle left out) and duration_ms; a non-zero exit is no " +
    "error of the tool. It is killed with all it started after `timeout_s` seconds (120).",
  input: z.strictObject({
    program: Word.min(1, "must not be empty").max(4_096),
    args: z.array(Word).max(1_000).default([]),
    cwd: AbsolutePath.optional(),
    stdin: z.string().max(MAX_STDIN_BYTES).optional(),
    timeout_s: z.number().positive().max(MAX_TIMEOUT_S).default(120),
  }),
  read_only: false,
  implied_by: ["exec"],
  run: async ({ program, args, cwd, stdin, timeout_s }, { ports, grant, workspace, signal }) => {
    if (args.reduce((sum, arg) => sum + Buffer.byteLength(arg), 0) > MAX_ARGS_BYTES) {
      return toolFailure("too_large", "args hold more than 128 KiB; use stdin or a file");
    }
    const place = await grant({ kind: "file_read", path: cwd ?? workspace });
    if (!place.ok) return toolDenied(place.denial);
    const granted = await grant({ kind: "exec", program, args });
    if (!granted.ok) return toolDenied(granted.denial);
    const call = {
      program: granted.granted.program,
      args: granted.granted.args,
      cwd: place.granted.path,
      timeout_ms: timeout_s * 1_000,
      max_output_bytes: MAX_OUTPUT_BYTES,
      ...(stdin !== undefined && { stdin: Buffer.from(stdin, "utf8") }),
    };
    const outcome = await ports.programs.run(granted.granted, call, signal);
    return outcome.ok ? programResult(program, outcome.value) : fromPort(outcome);
  },
});
