import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ExitCode } from "../protocol/error-code.js";
import type { CliIo } from "./io.js";

/** Says on standard error what is wrong, where, and what to do next; as JSON with `--json`. Gives the exit code. */
export function printError(io: CliIo, thrown: unknown, json: boolean): ExitCode {
  const error = thrown instanceof AgentdError ? thrown : unexpected(thrown);
  const { code: kind, op, message, hint } = error;
  io.stderr.write(
    json
      ? `${escaped(JSON.stringify({ error: { kind, op, message, hint } }))}\n`
      : `agentd: ${visible(message)} (${visible(op)})\n${visible(hint)}\n`,
  );
  return error.exitCode;
}

function unexpected(thrown: unknown): AgentdError {
  return new AgentdError("internal", "agentd", errorText(thrown), { cause: thrown });
}

// The start path holds no more than it must, so this is the small brother of plain-text.ts: a message may name what a page said.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

function visible(text: string): string {
  return text.replace(CONTROL, "");
}

function escaped(text: string): string {
  return text.replace(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
