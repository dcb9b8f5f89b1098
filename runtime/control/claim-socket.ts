import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { errnoOf } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";

/** `sun_path` of unix(7), without its closing NUL. */
const MAX_SOCKET_PATH = 107;
const OP = "claim socket";

/**
 * Makes the path free to be bound: its folder exists, and a socket that nobody answers on is gone. Throws `already_running`
 * where a daemon answers, `invalid_file` where the path holds something that is no socket, which is never removed. Two daemons
 * that start in the same instant are kept apart by the lock on the database, not by this.
 */
export async function claimSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new AgentdError(
      "usage",
      OP,
      `the socket's path is longer than ${MAX_SOCKET_PATH} bytes: ${path}`,
      {
        hint: "Choose a shorter one with --socket PATH, or a shorter --root.",
      },
    );
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new AgentdError("invalid_file", OP, `${path} is no socket and is left alone`, {
      hint: "Move it away, or choose another place with --socket PATH.",
    });
  }
  if (await answers(path)) {
    throw new AgentdError("already_running", OP, `an agentd answers on ${path}`);
  }
  unlinkSync(path);
}

/** Only a refusal proves that nobody listens; a full backlog (EAGAIN) is a daemon that is busy. */
async function answers(path: string): Promise<boolean> {
  const errno = await new Promise<string | undefined>((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error) => resolve(errnoOf(error) ?? "unknown"));
  });
  return errno !== "ECONNREFUSED" && errno !== "ENOENT";
}
