#!/usr/bin/env node
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { runCli } from "./cli/program.js";
import { keepHeapSmall } from "./keep-heap-small.js";
import { findNative, findShare } from "./protocol/places.js";

// The main of the one program. It alone reads the environment; the daemon's code is loaded only by `run`.
const { env } = process;
const path = env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
const keys = {
  deepseek: env["DEEPSEEK_API_KEY"],
  anthropic: env["ANTHROPIC_API_KEY"],
  openai: env["OPENAI_API_KEY"],
};
const programDir = dirname(fileURLToPath(import.meta.url));
const nativeDir = findNative(programDir, existsSync);

const ran = { daemon: false };
process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signals: process,
  cwd: process.cwd(),
  uid: process.getuid?.() ?? 0,
  root: env["AAOS_ROOT"],
  share: findShare(env["AAOS_SHARE"], programDir, existsSync),
  nativeDir,
  env: (name) => env[name],
  noColor: env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "",
  runDaemon: async (places) => {
    ran.daemon = true;
    keepHeapSmall();
    const { runDaemon } = await import("./daemon.js");
    return runDaemon({
      notify: {
        socket: env["NOTIFY_SOCKET"],
        watchdogUsec: env["WATCHDOG_USEC"],
        watchdogPid: env["WATCHDOG_PID"],
      },
      // systemd.exec(5): set where the journal takes standard output.
      underJournal: env["JOURNAL_STREAM"] !== undefined,
      places,
      credentialsDirectory: env["CREDENTIALS_DIRECTORY"],
      keys,
      programDir,
      nativeDir,
      path,
    });
  },
  probeHost: async (places, signal) => {
    const { probeHost } = await import("./probe-host.js");
    return probeHost({ places, nativeDir, path, keys }, signal);
  },
  outbound: async (places) => (await import("./outbound.js")).outbound(places),
  checkProvider: async (...args) => (await import("./check-provider.js")).checkProvider(...args),
});

// A daemon ends here and now: one that failed in the middle of its start has threads that nobody closes any more, and Node 20, left to
// take its handles down by itself, may turn in a circle over one that never closes.
if (ran.daemon) process.exit();
