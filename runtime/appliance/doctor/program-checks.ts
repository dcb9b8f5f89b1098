import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { DoctorCheck } from "../../protocol/control-results.js";
import { bad, good, poor } from "./check.js";

/** The programs that the daemon and its tools use. `path` holds the directories in which they are looked up, as in PATH. */
export function programChecks(path: string): readonly DoctorCheck[] {
  const has = (program: string): string | undefined =>
    path
      .split(":")
      .filter(isAbsolute)
      .map((dir) => join(dir, program))
      .find(isExecutable);
  const optional = (program: string, user: string): DoctorCheck => {
    const found = has(program);
    const name = `program ${program}`;
    if (found !== undefined) return good(name, found);
    return poor(name, `not found: ${user} cannot work`, `Install it: apt install ${program}.`);
  };
  const rg = has("rg");
  return [
    nodeCheck(process.versions.node),
    rg === undefined
      ? bad(
          "program rg",
          "not found: the grep tool cannot work",
          "Install it: apt install ripgrep.",
        )
      : good("program rg", rg),
    optional("git", "the git_commit tool"),
  ];
}

function nodeCheck(version: string): DoctorCheck {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return good("node", `Node ${version}`);
  return bad(
    "node",
    `Node ${version} is too old`,
    "Install Node 20.19 or newer: apt install nodejs.",
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
