import type { Style } from "./style.js";

const TONES: Readonly<Record<string, keyof Style>> = {
  succeeded: "good",
  running: "accent",
  planning: "accent",
  starting: "accent",
  failed: "bad",
  cancelled: "warn",
  skipped: "warn",
  paused: "warn",
  waiting_approval: "warn",
};

/** How the state of a run, step or agent is to be seen. */
export function stateTone(state: string): keyof Style {
  return TONES[state] ?? "dim";
}
