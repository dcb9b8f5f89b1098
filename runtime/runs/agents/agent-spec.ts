import type { AgentSpec } from "../../protocol/agents-port.js";
import type { Manifest } from "../../protocol/manifest.js";

/** The manifest with its prompt in it, so that it can be kept and read again without its file. */
export function selfContained({ manifest, system_prompt }: AgentSpec): Manifest {
  return { ...manifest, system_prompt };
}

/** Tokens of `128k` and the like (k = 1024). */
export function windowTokens(manifest: Manifest): number | undefined {
  const text = manifest.memory.context_window;
  if (text === undefined || typeof text === "number") return text;
  const digits = Number.parseInt(text, 10);
  return /k$/i.test(text) ? digits * 1_024 : digits;
}
