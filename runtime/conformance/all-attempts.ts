import type { Attempt, AttemptGroup } from "./attempt.js";
import { EXECUTION } from "./attempts/execution.js";
import { LIMITS } from "./attempts/limits.js";
import { NAMESPACES } from "./attempts/namespaces.js";
import { NETWORK } from "./attempts/network.js";
import { NETWORK_GRANTED } from "./attempts/network-granted.js";
import { PROCESSES } from "./attempts/processes.js";
import { PROTECTED } from "./attempts/protected.js";
import { READ_OUTSIDE } from "./attempts/read-outside.js";
import { SYSTEM_CALLS } from "./attempts/system-calls.js";
import { WRITE_GRANTS } from "./attempts/write-grants.js";
import { WRITE_OUTSIDE } from "./attempts/write-outside.js";

/** Every attempt of the probe, in the order of the report. */
export const ATTEMPT_GROUPS: readonly AttemptGroup[] = [
  READ_OUTSIDE,
  WRITE_OUTSIDE,
  WRITE_GRANTS,
  PROTECTED,
  NAMESPACES,
  SYSTEM_CALLS,
  EXECUTION,
  NETWORK,
  NETWORK_GRANTED,
  PROCESSES,
  LIMITS,
];

export const ALL_ATTEMPTS: readonly Attempt[] = ATTEMPT_GROUPS.flatMap(({ attempts }) => attempts);
