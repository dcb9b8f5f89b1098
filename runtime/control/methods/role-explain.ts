import type { ControlDeps } from "../deps.js";
import { findRole } from "../find-role.js";
import type { CallHandler } from "../handler.js";

/** The tokens that an agent of the role would get with these parameters. */
export function roleExplain(deps: ControlDeps): CallHandler<"role.explain"> {
  return ({ name, params }) => deps.explainRole(findRole(deps, name), params);
}
