import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { errorText } from "../base/error-text.js";
import { type FileProblem, formatProblem } from "../catalog/file-problem.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { ExitCode } from "../protocol/error-code.js";
import type { Command } from "./command.js";
import { plural } from "./format.js";
import { plainLine } from "./plain-text.js";
import { printJson, printLine } from "./print.js";
import { readTextFile } from "./read-text-file.js";

/** Checks one file, or every one of a folder, without a daemon. Each problem with its line; exit code 2 where there is one. */
export function validateFiles(
  command: Command,
  path: string,
  problemsOf: (text: string, file: string) => readonly FileProblem[],
): ExitCode {
  const files = filesAt(resolve(command.io.cwd, path));
  const problems = files.flatMap((file) => problemsOf(readTextFile(file), file));
  if (command.json)
    printJson(command, { ok: problems.length === 0, files: files.length, problems });
  else if (problems.length === 0) {
    printLine(command, `${command.style.good("✓ valid")}: ${plural(files.length, "file")}`);
  } else {
    for (const problem of problems) {
      command.io.stderr.write(`agentd: ${plainLine(formatProblem(problem))}\n`);
    }
    command.io.stderr.write("Correct what is named, then validate again.\n");
  }
  return problems.length === 0 ? 0 : 2;
}

/** The files of the catalog that disabled themselves, on standard error. */
export function printProblems(command: Command, problems: readonly FileProblem[]): void {
  for (const problem of problems) {
    command.io.stderr.write(
      `${command.style.bad("disabled")} ${plainLine(formatProblem(problem))}\n`,
    );
  }
}

function filesAt(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => /^[^.].*\.ya?ml$/.test(name));
    return names.sort().map((name) => join(path, name));
  } catch (cause) {
    throw new AgentdError("invalid_file", "validate", `cannot read ${path}: ${errorText(cause)}`, {
      cause,
      hint: "Name a YAML file, or a folder of them.",
    });
  }
}
