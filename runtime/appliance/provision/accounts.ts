import { readFileSync } from "node:fs";
import type { Machine } from "../machine.js";

/** The groups of the machine, each with the users that it names. */
export function groupsOf(machine: Machine): ReadonlyMap<string, readonly string[]> {
  return new Map(
    linesOf(machine.at("/etc/group")).map(([name = "", , , members = ""]) => [
      name,
      members.split(",").filter((member) => member !== ""),
    ]),
  );
}

/** Whether there is an account of that name. */
export function hasUser(machine: Machine, user: string): boolean {
  return linesOf(machine.at("/etc/passwd")).some(([name]) => name === user);
}

function linesOf(file: string): readonly (readonly string[])[] {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(":"));
  } catch {
    return []; // a test's root has none
  }
}
