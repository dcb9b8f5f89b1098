import type { ExitCode } from "../protocol/error-code.js";
import type { Command } from "./command.js";

/** Runs one verb with what the global options say. */
export type Act = (verb: (command: Command) => Promise<ExitCode>) => Promise<void>;

/** What an argument ID is, in the help of every verb that takes one. */
export const ID_HELP = "the id, or at least 4 characters of its beginning or end";
