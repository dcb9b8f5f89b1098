import type { Message } from "../protocol/message.js";
import { messageBytes } from "./context-size.js";

/** The part of the window that is summarised at once. */
const SELECTED = 0.4;
/** A selection that fills more than the first part of the summariser's window is cut to the second. */
const SUMMARIZER_FULL = 0.9;
const SUMMARIZER_FITS = 0.7;

interface Selection {
  readonly messages: readonly Message[];
  /** Where what is still shown begins. */
  readonly from: number;
  readonly windowBytes: number;
  readonly summarizerBytes: number;
  /** Messages that may be left; undefined for any number. */
  readonly maxLeft?: number | undefined;
}

/**
 * Up to where the oldest messages are to be summarised (exclusive): those that fill 40 % of the window, or half of them where not
 * even the oldest fits. A call is never parted from its results, and the newest part always stays. Undefined where nothing can go.
 */
export function chooseBoundary(selection: Selection): number | undefined {
  const { messages, from, windowBytes, summarizerBytes, maxLeft } = selection;
  const units = unitsOf(messages, from);
  if (units.length < 2) return undefined;
  const movable = units.slice(0, -1);
  const room = windowBytes * SELECTED;
  const wanted = atLeast(
    longestPrefix(movable, room),
    maxLeft === undefined ? 0 : tooMany(movable, messages.length - maxLeft),
  );
  const chosen = wanted === 0 ? Math.ceil(movable.length / 2) : wanted;
  const bytes = sum(movable.slice(0, chosen));
  if (bytes <= summarizerBytes * SUMMARIZER_FULL) return movable[chosen - 1]?.end;
  const fitting = longestPrefix(movable.slice(0, chosen), summarizerBytes * SUMMARIZER_FITS);
  return movable[Math.max(fitting, 1) - 1]?.end;
}

/** Messages that stay together: a reply with the results of its calls, or a message alone. `end` is exclusive. */
interface Unit {
  readonly end: number;
  readonly bytes: number;
}

function unitsOf(messages: readonly Message[], from: number): readonly Unit[] {
  const units: Unit[] = [];
  for (let at = from; at < messages.length; ) {
    let end = at + 1;
    while (messages[end]?.role === "tool") end++;
    units.push({
      end,
      bytes: messages.slice(at, end).reduce((all, m) => all + messageBytes(m), 0),
    });
    at = end;
  }
  return units;
}

/** How many units from the first on fit into so many bytes. */
function longestPrefix(units: readonly Unit[], bytes: number): number {
  let left = bytes;
  const stop = units.findIndex((unit) => {
    left -= unit.bytes;
    return left < 0;
  });
  return stop === -1 ? units.length : stop;
}

/** How many units have to go so that no message before `index` is left. */
function tooMany(units: readonly Unit[], index: number): number {
  const stop = units.findIndex(({ end }) => end >= index);
  return stop === -1 ? units.length : stop + 1;
}

function atLeast(a: number, b: number): number {
  return Math.max(a, b);
}

function sum(units: readonly Unit[]): number {
  return units.reduce((all, { bytes }) => all + bytes, 0);
}
