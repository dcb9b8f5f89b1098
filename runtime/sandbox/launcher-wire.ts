import { constants } from "node:os";
import { decodeField } from "../protocol/confinement-wire.js";

/** How a confined process ended and what it used; the cgroup's figures are 0 where it had none. */
export interface ChildExit {
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly user_us: number;
  readonly system_us: number;
  readonly max_rss_bytes: number;
  readonly memory_peak_bytes: number;
  readonly cpu_us: number;
  readonly oom_kills: number;
  /** execve calls over the plan's limit. */
  readonly execs_refused: number;
}

/** A launch that failed: nothing of it is left, and its program has not run. */
export interface LaunchFailure {
  readonly ok: false;
  /** The step of `native/src/step.h`, or `launcher` where that is gone, or `aborted`. */
  readonly step: string;
  readonly errno: string;
  readonly detail: string;
}

export type LauncherMessage =
  | {
      readonly type: "started";
      readonly id: number;
      readonly pid: number;
      readonly enforced: Readonly<Record<string, string>>;
    }
  | { readonly type: "failed"; readonly id: number; readonly failure: LaunchFailure }
  | { readonly type: "exited"; readonly id: number; readonly exit: ChildExit };

/** One line of the launcher, as `native/src/spawn_main.cc` documents them. Throws on anything else: the two sides do not fit. */
export function parseLauncherMessage(text: string): LauncherMessage {
  const [type, idText, ...rest] = text.split(" ");
  const id = Number(idText);
  if (type === "started") {
    const [pid, ...layers] = rest;
    return { type, id, pid: Number(pid), enforced: Object.fromEntries(layers.map(splitLayer)) };
  }
  if (type === "failed") {
    const [step = "", code, detail = ""] = rest;
    const errno = nameOf(constants.errno, Number(code));
    return { type, id, failure: { ok: false, step, errno, detail: decodeField(detail) } };
  }
  if (type === "exited") return { type, id, exit: parseExit(rest) };
  throw new TypeError(`the launcher sent ${JSON.stringify(text.slice(0, 80))}`);
}

function splitLayer(word: string): [string, string] {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}

function parseExit(fields: readonly string[]): ChildExit {
  const [code, signal, ...numbers] = fields;
  const [user = 0, system = 0, rssKb = 0, peak = 0, cpu = 0, oom = 0, refused = 0] =
    numbers.map(Number);
  return {
    exit_code: code === "-" ? null : Number(code),
    signal: signal === "-" ? null : nameOf(constants.signals, Number(signal)),
    user_us: user,
    system_us: system,
    max_rss_bytes: rssKb * 1_024,
    memory_peak_bytes: peak,
    cpu_us: cpu,
    oom_kills: oom,
    execs_refused: refused,
  };
}

function nameOf(table: Readonly<Record<string, number>>, number: number): string {
  return Object.entries(table).find(([, value]) => value === number)?.[0] ?? String(number);
}
