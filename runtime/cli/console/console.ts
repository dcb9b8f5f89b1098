import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { textIfThere } from "../../appliance/if-there.js";
import { isSetUp } from "../../appliance/provision/is-set-up.js";
import { machineStatus } from "../../appliance/status/machine-status.js";
import { writeFileWhole } from "../../appliance/write-file.js";
import { withinTime } from "../../base/duration.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { connectTo } from "../client.js";
import type { Command } from "../command.js";
import type { Output } from "../io.js";
import { printError } from "../print-error.js";
import { disksHere } from "./disks-here.js";
import { type DaemonGlimpse, type ScreenState, screenLines } from "./screen.js";
import { troublesOf } from "./troubles.js";

const REFRESH_MS = 3_000;
const CLEAR = "\u001b[2J\u001b[H";
/** The boot menu's entry for lost access serves once. */
const ANSWERED = "/run/aaos/access-answered";
const TIME_SET = "/run/systemd/timesync/synchronized";
const DAEMON_MS = 2_000;

export interface ConsoleOptions {
  readonly calmMs: number | undefined;
  /** A key that was pressed before this began. */
  readonly key: string | undefined;
}

/**
 * The screen of tty1 and the serial line, in the place of a login: drawn again only when something in it has changed. `l` shows the last
 * lines of the log, `s` the set-up while nobody can log in, `r` the same for who has lost access, where the boot menu asked for it, `i`
 * the installation of a live system to a disk.
 * Ends at Enter with 4, for a login by whoever started it, and with its terminal; with `calm`, too, when nothing has changed for so
 * long: the screen stays where it is.
 */
export async function runConsole(
  command: Command,
  { calmMs, key: first }: ConsoleOptions,
): Promise<ExitCode> {
  const { io } = command;
  let shown = "";
  let pressed = first;
  /** Looks without a change: not time, of which a busy machine may have lost some. */
  let calm = 0;
  let daemon: DaemonGlimpse | null = null;
  while (!command.signal.aborted) {
    const state = await stateOf(command, daemon);
    daemon = state.daemon;
    const text = screenLines(state, widthOf(io.stdout)).join("\n");
    if (text !== shown) {
      io.stdout.write(`${CLEAR}${text}\n`);
      calm = 0;
    }
    shown = text;
    const key = pressed ?? (await nextKey(command));
    pressed = undefined;
    if (key === "closed") return 0;
    if (key === undefined) {
      calm += 1;
      if (calmMs !== undefined && calm * REFRESH_MS >= calmMs) return 0;
      continue;
    }
    if (key === "\r" || key === "\n") {
      io.stdout.write(CLEAR);
      return 4;
    }
    await act(key, state, command);
    shown = "";
  }
  return 0;
}

/** A serial line does not know its size: 0. */
function widthOf({ columns = 0 }: Output): number {
  return columns === 0 ? 80 : columns;
}

async function act(key: string, state: ScreenState, command: Command): Promise<void> {
  const { io, places } = command;
  if (key === "l") {
    io.stdout.write(CLEAR);
    await showLog(command);
    await anyKey(command);
  } else if ((key === "s" && !state.isSetUp) || (key === "r" && state.mayRecover)) {
    io.stdout.write(CLEAR);
    const { setUp } = await import("./set-up.js");
    const isDone = await setUp(command, key === "r" ? "access" : "all");
    if (key === "r" && isDone) writeFileWhole(join(places.root, ANSWERED), "", { mode: 0o644 });
    io.stdout.write("\nBack in a moment.\n");
    await sleep(1_500);
  } else if (key === "i" && state.machine.booted_from === "live") {
    io.stdout.write(CLEAR);
    await install(command);
    await anyKey(command);
  }
}

async function anyKey(command: Command): Promise<void> {
  command.io.stdout.write("\nAny key goes back.\n");
  while ((await nextKey(command)) === undefined);
}

/** The dialog of `agentd system install`. */
async function install(command: Command): Promise<void> {
  const { systemInstall } = await import("../verbs/system-install.js");
  try {
    await systemInstall(command, undefined, {});
  } catch (thrown) {
    printError(command.io, thrown, false);
  }
}

async function stateOf(
  { places, signal }: Command,
  last: DaemonGlimpse | null,
): Promise<ScreenState> {
  const at = (path: string): string => join(places.root, path);
  const machine = machineStatus(places);
  const degraded = (textIfThere(at("/run/aaos/degraded")) ?? "").trim().replaceAll("\n", "; ");
  return {
    machine,
    // systemd-timesyncd leaves the file; whose clock another program keeps is not this screen's to judge.
    troubles: troublesOf({
      ...{ machine, now: Date.now(), disks: disksHere(at), degraded },
      isTimeSet: machine.booted_from === "package" || existsSync(at(TIME_SET)),
    }),
    daemon: await glimpse(places.socketPath, last, signal),
    isSetUp: isSetUp(at),
    mayRecover:
      /(?:^|\s)aaos\.access=reset(?:\s|$)/.test(textIfThere(at("/proc/cmdline")) ?? "") &&
      !existsSync(at(ANSWERED)),
  };
}

/** What it said the last time holds as long as its socket is there: a machine that is busy answers late. */
async function glimpse(
  socketPath: string,
  last: DaemonGlimpse | null,
  signal: AbortSignal,
): Promise<DaemonGlimpse | null> {
  try {
    const status = await withinTime(DAEMON_MS, signal, (until) =>
      connectTo(socketPath).call("system.status", {}, until),
    );
    return { provider: status.default_provider };
  } catch {
    return existsSync(socketPath) ? last : null;
  }
}

/** The next key, `undefined` after a while without one, `closed` where the terminal has gone. */
async function nextKey({ io }: Command): Promise<string | undefined> {
  const { stdin } = io;
  stdin.setRawMode?.(true);
  stdin.resume();
  const timer = new AbortController();
  try {
    return await Promise.race([
      once(stdin, "data", { signal: timer.signal }).then(([data]) => String(data).slice(0, 1)),
      once(stdin, "end", { signal: timer.signal }).then(() => "closed"),
      sleep(REFRESH_MS, undefined, { signal: timer.signal }),
    ]);
  } finally {
    timer.abort();
    stdin.pause();
    stdin.setRawMode?.(false);
  }
}

/** On this very terminal. */
async function showLog({ io }: Command): Promise<void> {
  const args = ["-n", "40", "--no-pager", "-o", "short", "-u", "agentd", "-u", "aaos-*"];
  const child = spawn("journalctl", args, { stdio: "inherit" });
  const failed = once(child, "error").then(([error]) => io.stdout.write(`${String(error)}\n`));
  await Promise.race([once(child, "close"), failed]);
}
