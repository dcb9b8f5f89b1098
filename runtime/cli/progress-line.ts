import type { Command } from "./command.js";

const WIDTH = 24;

export interface Progress {
  readonly show: (text: string, fraction: number) => void;
  readonly end: () => void;
}

/** How far a long verb is: one line that is drawn again on a terminal, a line for each new text elsewhere, nothing with `--json`. */
export function progressLine({ io, json }: Command): Progress {
  let last = "";
  const onTerminal = io.stderr.isTTY === true && !json;
  return {
    show: (text, fraction) => {
      const percent = Math.floor(Math.min(1, Math.max(0, fraction)) * 100);
      const full = Math.round((percent / 100) * WIDTH);
      const bar = `[${"#".repeat(full)}${" ".repeat(WIDTH - full)}] ${String(percent).padStart(3)} %  ${text}`;
      const now = onTerminal ? bar : text;
      if (json || now === last) return;
      last = now;
      io.stderr.write(onTerminal ? `\r\u001b[K${bar}` : `${text}\n`);
    },
    end: () => {
      if (onTerminal && last !== "") io.stderr.write("\r\u001b[K");
    },
  };
}
