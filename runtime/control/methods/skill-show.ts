import type { ControlDeps } from "../deps.js";
import { findSkill } from "../find-skill.js";
import type { CallHandler } from "../handler.js";

/** One skill with its instructions. */
export function skillShow(deps: ControlDeps): CallHandler<"skill.show"> {
  return ({ name }) => findSkill(deps, name);
}
