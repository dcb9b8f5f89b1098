import type { Role } from "../protocol/role.js";
import type { RawParams } from "./parse-params.js";

/**
 * `K=a,b` as a list where the role says that K is one. A value with a comma in it is given as one of several: `--param` once for
 * each element.
 */
export function splitLists(role: Role, params: RawParams): RawParams {
  const lists = new Set(
    Object.entries(role.parameters)
      .filter(([, { type }]) => type === "string_list")
      .flatMap(([name, { aliases }]) => [name, ...aliases]),
  );
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      typeof value === "string" && lists.has(name) ? value.split(",") : value,
    ]),
  );
}
