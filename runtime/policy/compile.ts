import type { Compiled, CompileRequest, HostFacts } from "../protocol/compile.js";
import { compileFiles } from "./compile-files.js";
import { compileProgram } from "./compile-program.js";
import { compileWeb } from "./compile-web.js";
import type { Authority } from "./facts-wanted.js";
import { LEAST_ABI, landlockAbi } from "./landlock-abi.js";

/**
 * Tokens to kernel policy: everything the kernel is told about one confined process, or why nothing may run. Pure: the same
 * request, authority and facts give the same plan, whatever the order of the capabilities. A plan gives nothing that no token
 * gives but the fixed, read-only parts that a process needs to run at all, and its own empty places; where the kernel's unit is
 * wider than a token (`tree`), the result says so.
 */
export function compile(request: CompileRequest, authority: Authority, facts: HostFacts): Compiled {
  const abi = landlockAbi(facts.landlock_abi);
  if (abi === undefined) {
    const problem = `Landlock ABI ${facts.landlock_abi} is too old: ${LEAST_ABI} (Linux 6.7) or newer is needed`;
    return { ok: false, problem };
  }
  switch (request.kind) {
    case "files":
      return compileFiles(request, authority, facts, abi);
    case "program":
      return compileProgram(request, authority, facts, abi);
    case "web":
    case "model":
      return compileWeb(request, authority, facts, abi);
  }
}
