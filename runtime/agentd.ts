#!/usr/bin/env node
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { runCli } from "./cli/program.js";
import { VERSION } from "./version.js";

// The main of the one program. It alone reads the environment; the daemon's code is loaded only by `run`.
const { env } = process;

process.exitCode = await runCli(
  process.argv.slice(2),
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    env: {
      root: env["AAOS_ROOT"],
      share: env["AAOS_SHARE"],
      noColor: env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "",
    },
    programDir: dirname(fileURLToPath(import.meta.url)),
    version: VERSION,
    now: Date.now,
    onInterrupt: (listener) => {
      process.on("SIGINT", listener);
      return () => process.off("SIGINT", listener);
    },
  },
  {
    runDaemon: async ({ places }) => {
      const { runDaemon } = await import("./daemon.js");
      return runDaemon({
        places,
        credentialsDirectory: env["CREDENTIALS_DIRECTORY"],
        keys: {
          deepseek: env["DEEPSEEK_API_KEY"],
          anthropic: env["ANTHROPIC_API_KEY"],
          openai: env["OPENAI_API_KEY"],
        },
        path: env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
      });
    },
  },
);
