import { AgentdError } from "../../protocol/agentd-error.js";
import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { CallHandler } from "../handler.js";
import { readDocument } from "../read-document.js";

/** A run's documents with their text, so that a result is read where its folder is not. */
export function runResult({ reader }: ControlDeps): CallHandler<"run.result"> {
  return async ({ run_id, max_bytes }, { signal }) => {
    const id = findRun(reader, run_id);
    const run = reader.run(id);
    if (run === undefined) throw new AgentdError("unknown_id", "get result", `no run ${id}`);
    const documents = [];
    for (const path of run.documents) {
      signal.throwIfAborted();
      documents.push(await readDocument(path, max_bytes));
    }
    return {
      run_id: id,
      state: run.state,
      final_output: run.final_output,
      final_text: run.final_text,
      documents,
    };
  };
}
