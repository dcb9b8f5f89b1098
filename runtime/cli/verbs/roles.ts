import { suggest } from "../../base/suggest.js";
import { explainRole } from "../../catalog/explain-role.js";
import { formatProblem } from "../../catalog/file-problem.js";
import { type LoadedRole, loadRoles, parseRole } from "../../catalog/roles.js";
import { readPolicy } from "../../catalog/settings.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { neverGrantable } from "../../protocol/places.js";
import type { RoleParameter } from "../../protocol/role.js";
import { printProblems, validateFiles } from "../catalog-files.js";
import type { Command } from "../command.js";
import { parseParams } from "../parse-params.js";
import { plainLine, plainText } from "../plain-text.js";
import { printJson, printLine, printTable } from "../print.js";
import { readTextFile } from "../read-text-file.js";
import { splitLists } from "../split-lists.js";

/** The catalog as the files say it now, and what in it is broken. */
export function rolesList(command: Command): ExitCode {
  const { roles, problems } = catalogOf(command);
  if (command.json) {
    printJson(command, { roles: [...roles.values()], problems });
    return 0;
  }
  const rows = [...roles.values()].map(({ role, origin }) => [
    role.name,
    origin,
    role.scaffold === undefined ? role.model : `scaffold ${role.scaffold.kind}`,
    Object.entries(role.parameters).map(parameterText).join(" "),
    firstSentence(role.system_prompt),
  ]);
  if (rows.length === 0) printLine(command, "No roles.");
  else printTable(command, ["ROLE", "FROM", "MODEL", "PARAMETERS", "WHAT IT DOES"], rows);
  printProblems(command, problems);
  return 0;
}

/** One role whole, as its file says it. */
export function rolesShow(command: Command, name: string): ExitCode {
  const found = roleOf(command, name);
  if (command.json) {
    printJson(command, found);
    return 0;
  }
  printLine(command, command.style.dim(`# ${found.file}`));
  printLine(command, plainText(readTextFile(found.file)).trimEnd());
  return 0;
}

/** Checks one file, or every one of a folder, without a daemon. */
export function rolesValidate(command: Command, path: string): ExitCode {
  return validateFiles(command, path, (text, file) => {
    const parsed = parseRole(text, file);
    return parsed.ok ? [] : parsed.problems;
  });
}

/** The tokens that an agent of the role would get, and what policy.yaml keeps back; without a daemon. */
export function rolesExplain(
  command: Command,
  name: string,
  { param = [] }: { readonly param?: readonly string[] },
): ExitCode {
  const { role, file } = roleOf(command, name);
  const { places, style } = command;
  const explained = explainRole(role, splitLists(role, parseParams(param)), {
    policy: readPolicy(places.policyFile),
    never: neverGrantable(places),
    workspaceDir: places.workspaceDir,
  });
  if (command.json) {
    printJson(command, explained);
    return 0;
  }
  printLine(command, `${style.bold(role.name)} ${style.dim(`(${file})`)}`);
  const { granted, withheld } = explained;
  printLine(command, granted.length === 0 ? "would get no token" : "would get");
  for (const grant of granted) printLine(command, `  ${style.good("✓")} ${plainLine(grant)}`);
  if (withheld.length > 0) printLine(command, `${places.policyFile} keeps back`);
  for (const { capability, reason } of withheld) {
    printLine(command, `  ${style.bad("✗")} ${plainLine(capability)}: ${plainLine(reason)}`);
  }
  printLine(
    command,
    style.dim("Its run's own workspace is always readable and writable to a run."),
  );
  return 0;
}

function catalogOf({ places }: Command): ReturnType<typeof loadRoles> {
  return loadRoles([
    { dir: places.vendorRolesDir, origin: "vendor" },
    { dir: places.operatorRolesDir, origin: "operator" },
  ]);
}

function roleOf(command: Command, name: string): LoadedRole {
  const { roles, problems } = catalogOf(command);
  const found = roles.get(name);
  if (found !== undefined) return found;
  const broken = problems.find(({ file }) => file.endsWith(`/${name}.yaml`));
  if (broken !== undefined) {
    throw new AgentdError("invalid_file", "read role", formatProblem(broken));
  }
  const near = suggest(name, [...roles.keys()]);
  const help = near === undefined ? "" : `; did you mean ${near}?`;
  throw new AgentdError("unknown_role", "find role", `no role ${JSON.stringify(name)}${help}`);
}

function parameterText([name, { type, required }]: [string, RoleParameter]): string {
  return `${name}${type === "string_list" ? "[]" : ""}${required ? "" : "?"}`;
}

function firstSentence(prompt: string): string {
  return plainLine(prompt).split(/(?<=\.)\s/, 1)[0] ?? "";
}
