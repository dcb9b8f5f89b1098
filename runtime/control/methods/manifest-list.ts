import type { ControlDeps } from "../deps.js";
import type { CallHandler } from "../handler.js";

/** The manifests as the daemon has them, and the files that disabled themselves. */
export function manifestList({ manifests }: ControlDeps): CallHandler<"manifest.list"> {
  return () => {
    const catalog = manifests();
    return { manifests: [...catalog.manifests], problems: [...catalog.problems] };
  };
}
