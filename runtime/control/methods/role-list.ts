import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** The catalog, and the files that disabled themselves. */
export function roleList({ roles }: ControlDeps): CallHandler<"role.list"> {
  return () => {
    const catalog = roles();
    return { roles: [...catalog.roles.values()], problems: [...catalog.problems] };
  };
}
