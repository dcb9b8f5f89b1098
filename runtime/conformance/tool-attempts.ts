import { TOOLS_FILES } from "./attempts/tools-files.js";
import { TOOLS_INTERPRETERS } from "./attempts/tools-interpreters.js";
import { TOOLS_SEARCH } from "./attempts/tools-search.js";
import { TOOLS_SHELL } from "./attempts/tools-shell.js";
import type { ToolAttempt } from "./tool-attempt.js";

/** Every attempt through a tool, in the order of the report. */
export const TOOL_ATTEMPTS: readonly ToolAttempt[] = [
  ...TOOLS_FILES,
  ...TOOLS_SEARCH,
  ...TOOLS_SHELL,
  ...TOOLS_INTERPRETERS,
];
