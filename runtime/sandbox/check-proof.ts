import type { Granted } from "../protocol/access.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ProgramsPort } from "../protocol/ports.js";
import type { WebAddress } from "../protocol/web-address.js";

export type ProgramProof = Parameters<ProgramsPort["run"]>[0];

const PROGRAM_OF = { cargo_run: "cargo", git_commit: "git", file_read: "rg" } as const;

/** A proof for one program must not start another: that would be a defect of the tool, not of its input. Throws `internal`. */
export function checkProgramProof(granted: ProgramProof, program: string): void {
  const proven = granted.kind === "exec" ? granted.program : PROGRAM_OF[granted.kind];
  if (proven === program) return;
  throw new AgentdError("internal", "run program", `granted ${proven}, asked for ${program}`);
}

/** As `checkProgramProof`, for a host. */
export function checkHostProof(granted: Granted<"network">, asked: WebAddress): void {
  if (granted.host === asked.host && granted.port === asked.port) return;
  const message = `granted ${granted.host}:${granted.port}, asked for ${asked.host}:${asked.port}`;
  throw new AgentdError("internal", "fetch", message);
}
