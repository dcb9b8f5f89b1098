import { Manifest } from "../protocol/manifest.js";
import type { MemoryRules } from "../protocol/memory.js";

type MemorySettings = Manifest["memory"];

const DEFAULTS: MemorySettings = Manifest.shape.memory.parse(undefined);

/**
 * What an agent may do with its memory. A role's agent has one as soon as its tokens name the tools; a manifest's only where it says
 * `episodic_enabled`, within the manifest's caps. A child remembers nothing of its own: its parent decides what is worth it.
 */
export function memoryRules(
  owner: string,
  of: { readonly manifest?: MemorySettings; readonly isChild?: boolean } = {},
): MemoryRules {
  const { episodic_max_records, episodic_max_content_bytes } = of.manifest ?? DEFAULTS;
  const off = of.manifest !== undefined && !of.manifest.episodic_enabled;
  return {
    owner,
    refused: off ? `the manifest of ${owner} does not say memory.episodic_enabled: true` : null,
    store_refused:
      of.isChild === true
        ? "a child agent may not store memories; give what is worth remembering to your parent in your reply"
        : null,
    max_records: episodic_max_records,
    max_content_bytes: episodic_max_content_bytes,
  };
}
