import { createInterface } from "node:readline/promises";
import type { Writable } from "node:stream";
import type { Command } from "./command.js";

/** The line that is typed after `question`, trimmed. Only for a terminal, where standard output is the process's own stream. */
export async function askLine({ io }: Command, question: string): Promise<string> {
  const lines = createInterface({ input: io.stdin, output: io.stdout as unknown as Writable });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}
