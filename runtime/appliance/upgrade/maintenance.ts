import { createHash } from "node:crypto";

/** Times of day, in the machine's own time zone; over midnight where the end is the earlier one. */
export interface Window {
  readonly startMinute: number;
  readonly endMinute: number;
}

const DAY = 24 * 60;

/** `02:00-05:00`; the syntax is the setting's. */
export function parseWindow(text: string): Window {
  const [startMinute = 0, endMinute = 0] = text.split("-").map((time) => {
    const [hours = 0, minutes = 0] = time.split(":").map(Number);
    return hours * 60 + minutes;
  });
  return { startMinute, endMinute };
}

/**
 * Whether an upgrade may start now. Each machine waits into the window for a time of its own, at most `delayMinutes` and never past the
 * window's end: `seed` (machine and version) decides it, so that a fleet does not start at once and a machine asks as often as it
 * likes. Pure.
 */
export function mayStart(now: Date, window: Window, delayMinutes: number, seed: string): boolean {
  const length = (window.endMinute - window.startMinute + DAY) % DAY || DAY;
  const minute = now.getHours() * 60 + now.getMinutes();
  const into = (minute - window.startMinute + DAY) % DAY;
  // The last tenth is left to those that were switched off before.
  const most = Math.min(delayMinutes, Math.floor(length * 0.9));
  return into < length && into >= delayOf(seed, most);
}

/** 0 to `most`, even over all seeds. */
export function delayOf(seed: string, most: number): number {
  const sum = createHash("sha256").update(seed).digest().readUInt32BE(0);
  return Math.floor((sum / 2 ** 32) * (most + 1));
}
