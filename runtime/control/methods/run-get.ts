import { AgentdError } from "../../protocol/agentd-error.js";
import { confinementInForce } from "../confinement.js";
import type { ControlDeps } from "../deps.js";
import { findRun } from "../find-id.js";
import type { CallHandler } from "../handler.js";

/** Everything of one run. */
export function runGet({ reader }: ControlDeps): CallHandler<"run.get"> {
  return ({ run_id }) => {
    const id = findRun(reader, run_id);
    const run = reader.run(id);
    if (run === undefined) throw new AgentdError("unknown_id", "get run", `no run ${id}`);
    return {
      ...run,
      steps: [...run.steps],
      documents: [...run.documents],
      confinement: confinementInForce(reader, { run_id: id }),
    };
  };
}
