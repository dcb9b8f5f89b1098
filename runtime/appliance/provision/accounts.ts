import { textIfThere } from "../if-there.js";

/** Where a path of the machine lies; a test's root has no accounts. */
type At = (path: string) => string;

/** The groups of the machine, each with the users that it names. */
export function groupsOf(at: At): ReadonlyMap<string, readonly string[]> {
  return new Map(
    linesOf(at("/etc/group")).map(([name = "", , , members = ""]) => [
      name,
      members.split(",").filter((member) => member !== ""),
    ]),
  );
}

/** The names of its accounts. */
export function usersOf(at: At): ReadonlySet<string> {
  return new Set(linesOf(at("/etc/passwd")).map(([name = ""]) => name));
}

function linesOf(file: string): readonly (readonly string[])[] {
  return (textIfThere(file) ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(":"));
}
