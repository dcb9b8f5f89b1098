import { existsSync } from "node:fs";
import type { Machine } from "../machine.js";

/** Where live-boot mounts the medium. */
export const LIVE_MEDIUM = "/run/live/medium";
/** The system on it. */
export const LIVE_SYSTEM = `${LIVE_MEDIUM}/live/root.squashfs`;
/** What a disk needs to start, in every image. */
export const BOOT_FILES = "/usr/lib/aaos/boot";

/** True on a system that was started from a medium with a system to install. */
export function isLive(machine: Machine): boolean {
  return existsSync(machine.at(LIVE_SYSTEM));
}
