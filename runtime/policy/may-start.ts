import type { Denial } from "../protocol/access.js";
import type { Capability } from "../protocol/capability.js";
import type { ProgramRequest } from "../protocol/compile.js";
import { ceilingAllows } from "./ceiling.js";
import type { Authority } from "./facts-wanted.js";
import { formatCapability } from "./grammar.js";
import { coversDir } from "./narrow.js";

/**
 * The refusal of a program call that no token stands for, or undefined. `decide` has judged the call before; here it is asked once
 * more, so that no plan is made beyond the tokens whatever the caller forgot. A search needs no token of its own for ripgrep.
 */
export function programDenial(
  request: ProgramRequest,
  { capabilities, ceiling }: Authority,
): Denial | undefined {
  const { purpose, program, args } = request;
  switch (purpose.kind) {
    case "file_read":
      return program === "rg" ? undefined : missing({ kind: "exec", program, subcommands: null });
    case "git_commit":
    case "cargo_run": {
      const wanted = { kind: purpose.kind, dir: purpose.dir };
      const isProgram = program === (purpose.kind === "git_commit" ? "git" : "cargo");
      const isHeld = capabilities.some(
        (one) => one.kind === purpose.kind && coversDir(one.dir, purpose.dir),
      );
      return isHeld && isProgram ? ceilingAllows(ceiling, wanted) : missing(wanted);
    }
    case "exec": {
      const [first = ""] = args;
      const isHeld = capabilities.some(
        (one) =>
          one.kind === "exec" &&
          one.program === program &&
          (one.subcommands === null || one.subcommands.includes(first)),
      );
      if (!isHeld) return missing({ kind: "exec", program, subcommands: null });
      return ceilingAllows(ceiling, { kind: "exec", program, args });
    }
  }
}

function missing(wanted: Capability): Denial {
  const capability = formatCapability(wanted);
  return { layer: "token", message: `no token grants '${capability}'`, capability };
}
