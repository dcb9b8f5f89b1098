import { constants } from "node:os";
import type { Denial } from "../protocol/access.js";
import type { FileReply, FileRequest } from "../protocol/file-worker-wire.js";
import type { PortFailure, PortResult } from "../protocol/ports.js";
import { portFailure } from "./port-failure.js";

/** What a reply means to a tool. "Not in the root" and "not permitted" are both told as "not granted", never as "does not exist". */
export function interpretReply(request: FileRequest, reply: FileReply): PortResult<Uint8Array> {
  if (reply.status === "done") return { ok: true, value: reply.body };
  const right = request.verb === "read" || request.verb === "list" ? "read" : "write";
  if (reply.status === "denied") return denied(reply.right, reply.path, request.path);
  const { ENOENT, ENOTDIR, EACCES, EPERM, EROFS, EFBIG, ENOSPC, EDQUOT } = constants.errno;
  switch (reply.errno) {
    case ENOENT:
    case ENOTDIR:
      return portFailure("not_found", `${request.path}: no such file or directory`);
    case EACCES:
    case EPERM:
    case EROFS:
      return denied(right, request.path, request.path);
    case EFBIG:
      return portFailure("too_large", `${request.path}: larger than a file may get here`);
    case ENOSPC:
    case EDQUOT: {
      const message = `disk full on the volume of ${request.path}`;
      return { ...portFailure("failed", message), code: "disk_full" };
    }
    default:
      return portFailure("failed", `${request.path}: ${errnoText(reply.errno)}`);
  }
}

/** With what would have allowed it. */
function denied(right: "read" | "write", path: string, asked: string): PortFailure {
  const capability = `file_${right}: ${path}`;
  const by = path === asked ? "" : `, which ${asked} leads to`;
  const denial: Denial = {
    layer: "kernel",
    message: `${path}${by} may not be ${right === "read" ? "read" : "written"}`,
    capability,
  };
  return { ok: false, kind: "denied", message: denial.message, denial };
}

function errnoText(number: number): string {
  if (number === constants.errno.EISDIR) return "is a directory";
  const found = Object.entries(constants.errno).find(([, value]) => value === number);
  return found?.[0] ?? `error ${number}`;
}
