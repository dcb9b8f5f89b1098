import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const AGENTD = fileURLToPath(new URL("../agentd.js", import.meta.url));

/** A program on a pseudo-terminal, as a person at a keyboard has it. */
export interface Terminal extends AsyncDisposable {
  /** Everything shown so far, without the terminal's control sequences. */
  readonly shown: () => string;
  /** Waits until what was shown since the last `see` matches; rejects where the program ends or half a minute passes first. */
  readonly see: (pattern: RegExp) => Promise<void>;
  readonly type: (keys: string) => void;
  readonly ended: Promise<number | null>;
}

export const ENTER = "\r";
export const DOWN = "\u001b[B";
export const CTRL_C = "\u0003";

/** One `agentd` on a terminal of its own, made by script(1). */
export function onTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Terminal {
  const command = [process.execPath, AGENTD, ...args].map((word) => `'${word}'`).join(" ");
  // biome-ignore lint/style/noProcessEnv: a child needs a PATH
  const { PATH = "/usr/bin:/bin", HOME = "/tmp" } = process.env;
  const child = spawn("script", ["-qefc", `stty cols 100 rows 30; exec ${command}`, "/dev/null"], {
    env: { PATH, HOME, TERM: "xterm", SHELL: "/bin/sh", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  let seen = 0;
  child.stdin.on("error", () => undefined);
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const shown = (): string => stripVTControlCharacters(text);
  return {
    shown,
    ended,
    type: (keys) => void child.stdin.write(keys),
    see: async (pattern) => {
      const deadline = Date.now() + 30_000;
      for (;;) {
        const over = child.exitCode !== null && child.stdout.readableEnded;
        const found = pattern.exec(shown().slice(seen));
        if (found !== null) {
          seen += found.index + found[0].length;
          return;
        }
        if (over || Date.now() > deadline)
          throw new Error(`${pattern} was not shown after: ${shown().slice(seen)}`);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
