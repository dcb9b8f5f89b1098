import { dirname, join } from "node:path";
import { parseGrant } from "../policy/grammar.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Grant } from "../protocol/capability.js";
import { Manifest } from "../protocol/manifest.js";
import type { Places } from "../protocol/places.js";
import { type FileProblem, formatField, formatProblem } from "./file-problem.js";
import { type CatalogDir, type Loaded, loadDirs } from "./load-dirs.js";
import { parseYaml } from "./parse-file.js";
import { readText } from "./read-text.js";
import { checkToolNames } from "./tool-checks.js";

/** A manifest with its capabilities as grants. */
export interface AgentManifest {
  readonly name: string;
  readonly manifest: Manifest;
  readonly grants: readonly Grant[];
}

export type ParsedManifest =
  | { readonly ok: true; readonly value: AgentManifest }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** A manifest's YAML, whole: its shape, and that every capability in it means something. Nothing is expanded in it. */
export function parseManifest(text: string, file: string): ParsedManifest {
  const parsed = parseYaml(Manifest, text, file);
  if (!parsed.ok) return parsed;
  const grants: Grant[] = [];
  const problems: FileProblem[] = [];
  for (const [i, source] of parsed.value.capabilities.entries()) {
    const path = ["capabilities", i];
    const one = parseGrant(source);
    if (one.ok) grants.push(one.grant);
    else {
      const where = { file, ...parsed.document.at(path), field: formatField(path) };
      problems.push({ ...where, message: one.problem, hint: null });
    }
  }
  for (const { path, message, hint } of checkToolNames(parsed.value)) {
    problems.push({ file, ...parsed.document.at(path), field: formatField(path), message, hint });
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: { name: parsed.value.name, manifest: parsed.value, grants } };
}

/** The manifests of the directories by name, with the rules of `loadDirs`. */
export function loadManifests(dirs: readonly CatalogDir[]): {
  readonly manifests: ReadonlyMap<string, Loaded<AgentManifest>>;
  readonly problems: readonly FileProblem[];
} {
  const { entries, problems } = loadDirs(dirs, parseManifest);
  return { manifests: entries, problems };
}

/** Where manifests lie: the operator's shadow the vendor's. */
export function manifestDirs(places: Places): readonly CatalogDir[] {
  return [
    { dir: places.vendorManifestsDir, origin: "vendor" },
    { dir: places.operatorManifestsDir, origin: "operator" },
  ];
}

/** Everything that is wrong in a manifest's file, its prompt's file included. */
export function checkManifestFile(text: string, file: string): readonly FileProblem[] {
  const parsed = parseManifest(text, file);
  if (!parsed.ok) return parsed.problems;
  const prompt = promptOf(parsed.value, file);
  return prompt.ok ? [] : [prompt.problem];
}

/** The system prompt, read from beside the manifest where it is a file. Throws `invalid_file`. */
export function readSystemPrompt(manifest: AgentManifest, manifestFile: string): string {
  const prompt = promptOf(manifest, manifestFile);
  if (prompt.ok) return prompt.text;
  throw new AgentdError("invalid_file", "read manifest", formatProblem(prompt.problem));
}

function promptOf(
  { manifest }: AgentManifest,
  manifestFile: string,
):
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: FileProblem } {
  const prompt = manifest.system_prompt;
  if (typeof prompt === "string") return { ok: true, text: prompt };
  const file = join(dirname(manifestFile), prompt.file);
  const isBeside = !prompt.file.startsWith("/") && !prompt.file.split("/").includes("..");
  const read = isBeside ? readText(file) : undefined;
  if (read?.ok === true && read.text.trim() !== "") return read;
  const message =
    read === undefined ? "must lie beside the manifest" : read.ok ? "is empty" : read.message;
  return {
    ok: false,
    problem: {
      file: manifestFile,
      line: 1,
      column: 1,
      field: "system_prompt.file",
      message: `${prompt.file} ${message}`,
      hint: null,
    },
  };
}
