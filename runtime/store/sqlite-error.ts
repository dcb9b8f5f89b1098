import { errnoOf, errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";

/**
 * What SQLite or the file system threw while `op` was done to the database at `path`, as an error with a remedy. An
 * `AgentdError` passes through. Codes: sqlite.org/rescode.html.
 */
export function storeError(op: string, path: string, thrown: unknown): AgentdError {
  if (thrown instanceof AgentdError) return thrown;
  const code = errnoOf(thrown) ?? "";
  const text = errorText(thrown);
  if (isDiskFull(code))
    return new AgentdError("disk_full", op, `no room for ${path}: ${text}`, { cause: thrown });
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code))
    return new AgentdError("store_corrupt", op, `${path} is damaged or no database: ${text}`, {
      cause: thrown,
    });
  if (/^(EACCES|EPERM|EROFS|SQLITE_(CANTOPEN|READONLY|PERM|AUTH))/.test(code))
    return new AgentdError("permission_denied", op, `${path} cannot be opened: ${text}`, {
      hint: `The daemon's user must own ${path} and its directory, on a writable file system.`,
      cause: thrown,
    });
  if (/^SQLITE_(BUSY|LOCKED)/.test(code))
    return new AgentdError("already_running", op, `another process writes ${path}: ${text}`, {
      cause: thrown,
    });
  if (code.startsWith("SQLITE_IOERR"))
    return new AgentdError("unavailable", op, `the disk under ${path} failed: ${code} ${text}`, {
      hint: "Look for disk errors with `dmesg`, then `agentd audit verify`.",
      cause: thrown,
    });
  return new AgentdError("internal", op, `${path}: ${text}`, { cause: thrown });
}

/** ENOSPC as SQLite tells it; `SHMSIZE` is the same for the WAL's index. */
function isDiskFull(code: string): boolean {
  return code === "SQLITE_FULL" || code === "SQLITE_IOERR_SHMSIZE" || code === "ENOSPC";
}
