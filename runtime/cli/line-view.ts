import type { Command } from "./command.js";
import { describeEvent } from "./describe-event.js";
import { formatClock } from "./format.js";
import { jsonLine } from "./plain-text.js";
import type { RunView } from "./run-view.js";

const STEP_WIDTH = 12;

/** A run as lines `[HH:MM:SS] step  text`, for pipes, logs and scripts' eyes. With `verbose`, every event as JSON instead. */
export function lineView({ io, style }: Command, verbose: boolean): RunView {
  const print = (text: string) => io.stdout.write(`${text}\n`);
  return {
    show: (frame) => {
      if (frame.kind === "lag") print(style.warn(`… ${frame.missed} events behind, catching up`));
      if (frame.kind !== "event") return;
      if (verbose) {
        print(jsonLine(frame.event));
        return;
      }
      const line = describeEvent(frame.event);
      if (line === undefined) return;
      const clock = style.dim(`[${formatClock(frame.event.time)}]`);
      const text = line.tone === "none" ? line.text : style[line.tone](line.text);
      print(`${clock} ${line.step.padEnd(STEP_WIDTH)} ${text}`.trimEnd());
    },
    suspend: () => {},
    resume: () => {},
    close: () => {},
  };
}

/** A run as the daemon's own frames, one JSON object a line. */
export function jsonView({ io }: Command): RunView {
  return {
    show: (frame) => {
      io.stdout.write(`${jsonLine(frame)}\n`);
    },
    suspend: () => {},
    resume: () => {},
    close: () => {},
  };
}
