import { Socket } from "node:net";
import type { Addon } from "./addon.js";

/** The three pipes of a process that is about to be launched. */
export interface ChildStdio {
  /** For the launcher, which takes them over. */
  readonly fds: readonly number[];
  /** Our ends as streams; asked once, after a launch that succeeded. */
  readonly open: () => {
    readonly stdin: Socket;
    readonly stdout: Socket;
    readonly stderr: Socket;
  };
  /** Closes our ends after a launch that failed. */
  readonly discard: () => void;
}

/** Throws a system error where there are no descriptors left; nothing is open then. */
export function openStdio(addon: Addon): ChildStdio {
  const made: number[] = [];
  const pipe = () => {
    const ends = addon.pipe();
    made.push(...ends);
    return ends;
  };
  try {
    const [stdin, stdout, stderr] = [pipe(), pipe(), pipe()];
    const ours = [stdin[1], stdout[0], stderr[0]] as const;
    return {
      fds: [stdin[0], stdout[1], stderr[1]],
      open: () => ({
        stdin: new Socket({ fd: ours[0], readable: false, writable: true }),
        stdout: new Socket({ fd: ours[1], readable: true, writable: false }),
        stderr: new Socket({ fd: ours[2], readable: true, writable: false }),
      }),
      discard: () => {
        for (const fd of ours) addon.closeFd(fd);
      },
    };
  } catch (thrown) {
    for (const fd of made) addon.closeFd(fd);
    throw thrown;
  }
}
