import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isCancel, password } from "@clack/prompts";
import { AgentdError } from "../protocol/agentd-error.js";
import { promptStreams } from "./ask-provider.js";
import type { Command } from "./command.js";

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseFromEnv?: string;
}

const MIN_CHARS = 12;
const OP = "read passphrase";

/** From a file's first line, a variable of the environment, or the terminal; never from an argument, which everybody sees. Undefined where the operator left. */
export async function readPassphrase(
  command: Command,
  { passphraseFile, passphraseFromEnv }: PassphraseOptions,
  twice: boolean,
): Promise<string | undefined> {
  const { io } = command;
  if (passphraseFile !== undefined) {
    const [line = ""] = readFileSync(resolve(io.cwd, passphraseFile), "utf8").split("\n", 1);
    return longEnough(line);
  }
  if (passphraseFromEnv !== undefined) return longEnough(io.env(passphraseFromEnv) ?? "");
  if (io.stdin.isTTY !== true || command.json)
    throw new AgentdError("usage", OP, "there is no terminal to ask for a passphrase on", {
      hint: "Give --passphrase-file FILE or --passphrase-from-env VARIABLE.",
    });
  const first = await ask(command, `Passphrase (at least ${MIN_CHARS} characters)`);
  if (first === undefined || !twice) return first;
  const second = await ask(command, "Once more");
  if (second !== undefined && second !== first)
    throw new AgentdError("usage", OP, "the two passphrases differ");
  return second;
}

async function ask(command: Command, message: string): Promise<string | undefined> {
  const answer = await password({
    ...promptStreams(command),
    message,
    validate: (text) =>
      (text ?? "").length < MIN_CHARS ? `At least ${MIN_CHARS} characters.` : undefined,
  });
  return isCancel(answer) ? undefined : answer;
}

function longEnough(text: string): string {
  if (text.length >= MIN_CHARS) return text;
  throw new AgentdError("usage", OP, `the passphrase has less than ${MIN_CHARS} characters`, {
    hint: "Whoever has the file can try short ones: `openssl rand -base64 24` makes a good one.",
  });
}
