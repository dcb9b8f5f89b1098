import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { errnoOf, errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Command } from "./command.js";

/** Characters of a goal, as the protocol takes it. */
const MAX_CHARS = 65_536;
/** UTF-8 takes at most three bytes for what counts as one here. */
const MAX_BYTES = 3 * MAX_CHARS;

/** The goal from the command line, or from a file (`-` is standard input). Throws `usage` or `invalid_file`, exit code 2. */
export async function readGoal(
  { io }: Command,
  words: readonly string[],
  file: string | undefined,
): Promise<string> {
  if (file === undefined) return goalOf(words.join(" "), "the goal");
  if (words.length > 0) {
    throw new AgentdError("usage", "submit", "a goal was given both in words and as a file");
  }
  const name = file === "-" ? "standard input" : file;
  const bytes = await readBounded(
    file === "-" ? io.stdin : createReadStream(resolve(io.cwd, file)),
    name,
  );
  return goalOf(decode(bytes, name), name);
}

function goalOf(text: string, where: string): string {
  const goal = text.trim();
  if (goal === "") {
    throw new AgentdError("usage", "submit", `${where} is empty`, {
      hint: 'Say what is to be done: agentd submit "GOAL", or agentd submit -f FILE.',
    });
  }
  if (goal.length > MAX_CHARS) throw tooLarge(where);
  return goal;
}

async function readBounded(source: AsyncIterable<unknown>, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of source) {
      const bytes = Buffer.from(chunk as Uint8Array);
      size += bytes.length;
      if (size > MAX_BYTES) throw tooLarge(name);
      chunks.push(bytes);
    }
  } catch (thrown) {
    if (thrown instanceof AgentdError) throw thrown;
    const why = errnoOf(thrown) === "ENOENT" ? "there is no such file" : errorText(thrown);
    throw invalidFile(name, why);
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalidFile(name, "it is no UTF-8 text", cause);
  }
}

function tooLarge(name: string): AgentdError {
  return invalidFile(name, `a goal is at most ${MAX_CHARS} characters`);
}

function invalidFile(name: string, why: string, cause?: unknown): AgentdError {
  return new AgentdError("invalid_file", "read goal", `${name}: ${why}`, {
    cause,
    hint: "Give a UTF-8 text file with the goal in it, large input by its path in the goal.",
  });
}
