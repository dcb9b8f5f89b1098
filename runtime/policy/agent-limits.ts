import { assertNever } from "../base/assert-never.js";
import type { Capability } from "../protocol/capability.js";
import { type AgentLimits, type Limits, limitsOf } from "./compile-limits.js";
import type { Authority } from "./facts-wanted.js";
import { profileOf } from "./program-profiles.js";

/**
 * As much as its grants let it start side by side: a file worker, a web worker where it has the network, and the largest of the programs
 * that it may run. Programs that run at the same time share that; its weight is that of the largest.
 */
export function agentLimits({ capabilities, ceiling }: Authority): AgentLimits {
  const files = limitsOf("files");
  const programs = capabilities.flatMap((one) =>
    one.kind === "exec" && !ceiling.exec.has(one.program) ? [] : programLimits(one),
  );
  const largest = programs.reduce<Limits | null>(
    (most, one) => (most === null || one.memory_bytes > most.memory_bytes ? one : most),
    null,
  );
  const web = capabilities.some(({ kind }) => kind === "network" || kind === "web_search");
  const all = [files, ...(web ? [limitsOf("web")] : []), ...(largest === null ? [] : [largest])];
  return {
    memory_bytes: all.reduce((sum, { memory_bytes }) => sum + memory_bytes, 0),
    processes: all.reduce((sum, { processes }) => sum + processes, 0),
    weight: (largest ?? all.at(-1) ?? files).io_weight,
  };
}

/** The bounds of the programs that a capability lets an agent start; reading is searched by a program, too. */
function programLimits(capability: Capability): readonly Limits[] {
  switch (capability.kind) {
    case "exec":
      return [limitsOf(profileOf(capability.program).limits)];
    case "cargo_run":
      return [limitsOf(profileOf("cargo").limits)];
    case "git_commit":
      return [limitsOf(profileOf("git").limits)];
    case "file_read":
      return [limitsOf(profileOf("rg").limits)];
    case "file_write":
    case "network":
    case "web_search":
    case "tool":
    case "spawn_child":
    case "message_send":
      return [];
    default:
      return assertNever(capability);
  }
}
