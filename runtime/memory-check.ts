import type { MemoryStatus } from "./memory/memory.js";
import type { DoctorCheck } from "./protocol/control-results.js";

/** What memory can be searched by. */
export function memoryCheck(status: MemoryStatus): DoctorCheck {
  const { memories, owners, vectors, model, problem } = status;
  const waiting =
    model !== null && vectors < memories ? `, ${memories - vectors} await theirs` : "";
  const by = model === null ? "by words alone" : `by words and by vectors of ${model}${waiting}`;
  return {
    name: "memory",
    verdict: problem === null ? "ok" : "warn",
    detail: `${memories} memories of ${owners} identities, searched ${by}${problem === null ? "" : `: ${problem}`}`,
    remedy:
      problem === null
        ? null
        : "Install the package aaos-embeddings, or name an OpenAI-compatible model as `embeddings` in providers.yaml's aliases.",
  };
}
