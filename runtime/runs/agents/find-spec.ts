import { suggest } from "../../base/suggest.js";
import { formatProblem } from "../../catalog/file-problem.js";
import type { Loaded } from "../../catalog/load-dirs.js";
import { type AgentManifest, parseManifest, readSystemPrompt } from "../../catalog/manifests.js";
import { expandGrants } from "../../policy/expand.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { AgentSpec } from "../../protocol/agents-port.js";
import { Manifest } from "../../protocol/manifest.js";
import type { Role } from "../../protocol/role.js";
import type { Roles } from "../check-plan.js";

const OP = "read manifest";

export interface SpecCatalog {
  readonly manifests: () => ReadonlyMap<string, Loaded<AgentManifest>>;
  readonly roles: () => Roles;
}

/**
 * What the text names or holds: a manifest of the catalog, a role (with those of its capabilities that need no parameter), or a
 * manifest's YAML whole. Throws `unknown_manifest` and `invalid_file`.
 */
export function findSpec(text: string, catalog: SpecCatalog): AgentSpec {
  if (text.includes("\n") || text.includes(":")) return specOfYaml(text, "the manifest");
  const name = text.trim();
  const found = catalog.manifests().get(name);
  if (found !== undefined) return specOf(found.value, readSystemPrompt(found.value, found.file));
  const role = catalog.roles().get(name)?.role;
  if (role !== undefined) return specOfRole(role);
  const near = suggest(name, [...catalog.manifests().keys(), ...catalog.roles().keys()]);
  const help = near === undefined ? "" : `; did you mean ${near}?`;
  throw new AgentdError("unknown_manifest", OP, `no manifest ${JSON.stringify(name)}${help}`);
}

/** A manifest given as text. Its prompt has to be in it: there is no file that another could lie beside. */
function specOfYaml(text: string, file: string): AgentSpec {
  const parsed = parseManifest(text, file);
  if (!parsed.ok)
    throw new AgentdError("invalid_file", OP, parsed.problems.map(formatProblem).join("; "));
  const { system_prompt } = parsed.value.manifest;
  if (typeof system_prompt !== "string")
    throw new AgentdError("invalid_file", OP, `${file}: system_prompt has to be text here`);
  return specOf(parsed.value, system_prompt);
}

/** What the journal kept of an agent. */
export function specOfKept(manifest: Manifest): AgentSpec {
  return specOfYaml(JSON.stringify(manifest), "the journal");
}

function specOf({ name, manifest, grants }: AgentManifest, system_prompt: string): AgentSpec {
  return { name, manifest, system_prompt, grants };
}

function specOfRole(role: Role): AgentSpec {
  const { name, model, system_prompt, approval_required } = role;
  const { grants } = expandGrants(role.capabilities, {});
  const manifest = Manifest.parse({ name, model, system_prompt, approval_required });
  return { name, manifest, system_prompt, grants };
}
