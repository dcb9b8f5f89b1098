import { suggest } from "../../base/suggest.js";
import { formatProblem } from "../../catalog/file-problem.js";
import type { Loaded } from "../../catalog/load-dirs.js";
import {
  type AgentManifest,
  checkManifestFile,
  loadManifests,
  manifestDirs,
} from "../../catalog/manifests.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { printProblems, validateFiles } from "../catalog-files.js";
import type { Command } from "../command.js";
import { plainLine, plainText } from "../plain-text.js";
import { printJson, printLine, printTable } from "../print.js";
import { readTextFile } from "../read-text-file.js";

/** The manifests as the files say it now, and what in them is broken. */
export function manifestsList(command: Command): ExitCode {
  const { manifests, problems } = catalogOf(command);
  if (command.json) {
    printJson(command, { manifests: [...manifests.values()].map(shown), problems });
    return 0;
  }
  const rows = [...manifests.values()].map(({ value: { manifest }, origin }) => [
    manifest.name,
    origin,
    manifest.lifecycle,
    manifest.model,
    typeof manifest.system_prompt === "string"
      ? (plainLine(manifest.system_prompt).split(/(?<=\.)\s/, 1)[0] ?? "")
      : manifest.system_prompt.file,
  ]);
  if (rows.length === 0) printLine(command, "No manifests.");
  else printTable(command, ["MANIFEST", "FROM", "LIFECYCLE", "MODEL", "WHAT IT IS"], rows);
  printProblems(command, problems);
  return 0;
}

/** One manifest whole, as its file says it. */
export function manifestsShow(command: Command, name: string): ExitCode {
  const { manifests, problems } = catalogOf(command);
  const found = manifests.get(name);
  if (found === undefined) {
    const broken = problems.find(({ file }) => file.endsWith(`/${name}.yaml`));
    if (broken !== undefined)
      throw new AgentdError("invalid_file", "read manifest", formatProblem(broken));
    const near = suggest(name, [...manifests.keys()]);
    const help = near === undefined ? "" : `; did you mean ${near}?`;
    throw new AgentdError(
      "unknown_manifest",
      "find manifest",
      `no manifest ${JSON.stringify(name)}${help}`,
    );
  }
  if (command.json) {
    printJson(command, shown(found));
    return 0;
  }
  printLine(command, command.style.dim(`# ${found.file}`));
  printLine(command, plainText(readTextFile(found.file)).trimEnd());
  return 0;
}

/** Checks one file, or every one of a folder, without a daemon. */
export function manifestsValidate(command: Command, path: string): ExitCode {
  return validateFiles(command, path, checkManifestFile);
}

function catalogOf({ places }: Command): ReturnType<typeof loadManifests> {
  return loadManifests(manifestDirs(places));
}

function shown({ value, file, origin }: Loaded<AgentManifest>) {
  return { manifest: value.manifest, file, origin };
}
