import { readFileSync } from "node:fs";
import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";

/** A UTF-8 file of the operator's. Throws `invalid_file` naming it. */
export function readTextFile(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    const why = cause instanceof TypeError ? "it is no UTF-8 text" : errorText(cause);
    throw new AgentdError("invalid_file", "read file", `${file}: ${why}`, {
      cause,
      hint: "Name a UTF-8 text file that you may read.",
    });
  }
}
