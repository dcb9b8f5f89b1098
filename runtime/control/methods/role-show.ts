import type { ControlDeps } from "../deps.js";
import { findRole } from "../find-role.js";
import type { CallHandler } from "../handler.js";

/** One role as it is in force. */
export function roleShow(deps: ControlDeps): CallHandler<"role.show"> {
  return ({ name }) => findRole(deps, name);
}
