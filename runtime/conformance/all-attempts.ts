import type { Attempt, AttemptGroup } from "./attempt.js";
import { DANGEROUS_CALLS } from "./attempts/dangerous-calls.js";
import { DEVICES_AND_PROC } from "./attempts/devices-and-proc.js";
import { DROP_BOX } from "./attempts/drop-box.js";
import { EXECUTION } from "./attempts/execution.js";
import { INTERPRETERS } from "./attempts/interpreters.js";
import { LIMITS } from "./attempts/limits.js";
import { MACHINE } from "./attempts/machine.js";
import { MOUNTS } from "./attempts/mounts.js";
import { NAMESPACES } from "./attempts/namespaces.js";
import { NETWORK } from "./attempts/network.js";
import { NETWORK_GRANTED } from "./attempts/network-granted.js";
import { PRIVILEGES } from "./attempts/privileges.js";
import { PROC_AND_ATTRIBUTES } from "./attempts/proc-and-attributes.js";
import { PROCESSES } from "./attempts/processes.js";
import { PROTECTED_NAMES } from "./attempts/protected-names.js";
import { READ_ONLY } from "./attempts/read-only.js";
import { READ_OUTSIDE } from "./attempts/read-outside.js";
import { REPOSITORIES } from "./attempts/repositories.js";
import { SHARED_OBJECTS } from "./attempts/shared-objects.js";
import { SOCKET_FAMILIES } from "./attempts/socket-families.js";
import { WRITE_GRANTS } from "./attempts/write-grants.js";
import { WRITE_OUTSIDE } from "./attempts/write-outside.js";

/** Every attempt of the probe, in the order of the report. */
export const ATTEMPT_GROUPS: readonly AttemptGroup[] = [
  READ_OUTSIDE,
  DEVICES_AND_PROC,
  WRITE_OUTSIDE,
  READ_ONLY,
  PROC_AND_ATTRIBUTES,
  DROP_BOX,
  WRITE_GRANTS,
  REPOSITORIES,
  PROTECTED_NAMES,
  NAMESPACES,
  MOUNTS,
  DANGEROUS_CALLS,
  MACHINE,
  PRIVILEGES,
  EXECUTION,
  INTERPRETERS,
  NETWORK,
  SOCKET_FAMILIES,
  NETWORK_GRANTED,
  PROCESSES,
  SHARED_OBJECTS,
  LIMITS,
];

export const ALL_ATTEMPTS: readonly Attempt[] = ATTEMPT_GROUPS.flatMap(({ attempts }) => attempts);
