import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** The manifests as the daemon has them, and the files of the catalog that disabled themselves. */
export function manifestList({ manifests, roles }: ControlDeps): CallHandler<"manifest.list"> {
  return () => ({
    manifests: [...manifests().values()].map(({ value: { manifest }, file, origin }) => ({
      ...{ manifest, file, origin },
    })),
    problems: [...roles().problems],
  });
}
