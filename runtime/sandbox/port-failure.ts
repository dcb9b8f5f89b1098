import { errnoOf, errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { PortFailure, PortResult } from "../protocol/ports.js";

/** A failure of a port, as a value. */
export function portFailure(kind: PortFailure["kind"], message: string): PortFailure {
  return { ok: false, kind, message };
}

/** What the kernel refused although the check above had granted it. */
function kernelDenial(message: string): PortFailure {
  return { ok: false, kind: "denied", message, denial: { layer: "kernel", message } };
}

/** A system error as the failure a tool reports: `what` is the path or program it happened to. */
function failureOfErrno(thrown: unknown, what: string): PortFailure {
  switch (errnoOf(thrown) ?? "") {
    case "ENOENT":
      return portFailure("not_found", `${what} does not exist`);
    case "ENOTDIR":
      return portFailure("not_found", `${what} does not exist: a part of the path is no directory`);
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return kernelDenial(`the system refuses access to ${what}`);
    case "ELOOP":
      return kernelDenial(`${what} is a symbolic link that appeared after the check`);
    case "EISDIR":
      return portFailure("failed", `${what} is a directory`);
    case "ENOSPC":
    case "EDQUOT":
      return { ...portFailure("failed", `disk full on the volume of ${what}`), code: "disk_full" };
    case "EFBIG":
      return portFailure("too_large", `${what} would grow past the largest file allowed`);
    case "ENAMETOOLONG":
      return portFailure("failed", `the path ${what.slice(0, 80)}… is too long`);
    default:
      return portFailure("failed", `${what}: ${errorText(thrown)}`);
  }
}

/** Runs `work`; a system error it throws becomes a failure that names `what`, an abort one that says so. A broken invariant is thrown on. */
export async function asPortResult<T>(
  what: string,
  signal: AbortSignal,
  work: () => Promise<PortResult<T>>,
): Promise<PortResult<T>> {
  if (signal.aborted) return portFailure("failed", "stopped before it began");
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof AgentdError) throw thrown;
    if (isAborted(signal)) return portFailure("failed", "stopped while under way");
    return failureOfErrno(thrown, what);
  }
}

/** Asked anew after an await: the type checker believes that nothing changes in between. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
