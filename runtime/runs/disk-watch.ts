import { statfs } from "node:fs/promises";
import { errorText } from "../base/error-text.js";
import type { EngineDeps } from "./deps.js";
import type { RunEngine } from "./engine.js";

/** Of a small volume, this part is the mark. */
const SMALL_VOLUME_PART = 0.05;
/** Runs go on when this much more than the mark is free, so that they do not begin and end all the time. */
const ROOM_AGAIN = 1.25;

interface DiskWatchOptions {
  /** Where the daemon and its runs write; each on its volume. */
  readonly dirs: readonly string[];
  readonly lowWaterBytes: number;
  readonly everyMs: number;
  readonly engine: Pick<RunEngine, "hold" | "isHeld" | "goOn">;
  readonly log: EngineDeps["log"];
}

/**
 * Watches the room on the volumes. Under the mark no run may begin and all under way come to rest, with the reason, while there still is
 * room to write that down; when there is room they go on by themselves. The mark is `lowWaterBytes`, or 5 % of a volume that is small.
 */
export async function openDiskWatch(options: DiskWatchOptions): Promise<AsyncDisposable> {
  const { engine, everyMs, log } = options;
  const now = { low: false };
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      const found = await shortage(options, now.low ? ROOM_AGAIN : 1);
      if (found !== undefined) {
        if (!now.low) log("warn", "runs are paused: the disk is nearly full", { reason: found });
        // Again each time: where the disk was quite full there was no room to write down that they are.
        await engine.hold(found);
      } else if (now.low || engine.isHeld()) {
        log("info", "there is room on the disk again: runs go on");
        await engine.goOn();
      }
      now.low = found !== undefined;
    } catch (thrown) {
      log("error", "the room on the disk could not be looked at", { error: errorText(thrown) });
    }
  };
  await look();
  // Of a daemon before this one.
  if (!now.low) await engine.goOn();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, everyMs);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}

/** Which volume has too little room; undefined where all have enough. */
async function shortage(
  { dirs, lowWaterBytes }: DiskWatchOptions,
  factor: number,
): Promise<string | undefined> {
  for (const dir of dirs) {
    const { bavail, blocks, bsize } = await statfs(dir);
    const mark = Math.min(lowWaterBytes, blocks * bsize * SMALL_VOLUME_PART) * factor;
    const free = bavail * bsize;
    if (free < mark) return `${dir} has ${megabytes(free)} MB left, under ${megabytes(mark)} MB`;
  }
  return undefined;
}

function megabytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(bytes < 10_485_760 ? 2 : 0);
}
