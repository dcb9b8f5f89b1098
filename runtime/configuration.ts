import { mkdirSync, realpathSync } from "node:fs";
import type { FileProblem } from "./catalog/file-problem.js";
import type { Loaded } from "./catalog/load-dirs.js";
import { type AgentManifest, loadManifests, manifestDirs } from "./catalog/manifests.js";
import { type LoadedRole, loadRoles } from "./catalog/roles.js";
import { readMcpServers, readPolicy, readProviders, readSettings } from "./catalog/settings.js";
import { loadSkills, type Skill, skillDirs } from "./catalog/skills.js";
import { type CredentialSources, readCredential } from "./credentials.js";
import type { McpFile } from "./protocol/mcp-file.js";
import type { Places } from "./protocol/places.js";
import type { PolicyFile } from "./protocol/policy-file.js";
import type { ProvidersFile } from "./protocol/providers-file.js";
import type { Settings } from "./protocol/settings.js";

export interface ConfigurationSources {
  readonly places: Places;
  /** `$CREDENTIALS_DIRECTORY` of the unit. */
  readonly credentialsDirectory: string | undefined;
  /** Keys of the environment file, by credential name. */
  readonly keys: CredentialSources["keys"];
}

/** All that the operator has said. */
export interface Configuration {
  readonly places: Places;
  readonly settings: Settings;
  readonly policy: PolicyFile;
  readonly providersFile: ProvidersFile;
  readonly mcp: McpFile;
  readonly catalog: {
    readonly roles: ReadonlyMap<string, LoadedRole>;
    readonly manifests: ReadonlyMap<string, Loaded<AgentManifest>>;
    readonly skills: ReadonlyMap<string, Skill>;
    readonly problems: readonly FileProblem[];
  };
  readonly credential: (name: string) => string | undefined;
  /** Every secret that is known, for the redactor. */
  readonly secrets: readonly string[];
}

/** Reads the files and makes the folders of the state. Throws AgentdError `invalid_file` with every problem of a broken file. */
export function readConfiguration(sources: ConfigurationSources): Configuration {
  const settings = readSettings(sources.places.settingsFile);
  const policy = readPolicyFile(sources.places);
  const providersFile = readProvidersFile(sources.places);
  const mcp = readMcpServers(sources.places.mcpServersFile);
  const places = resolvedPlaces(sources.places);
  const credential = (name: string) =>
    readCredential(name, { ...sources, credentialsDir: places.credentialsDir });
  return {
    places,
    settings,
    policy,
    providersFile,
    mcp,
    catalog: loadCatalog(places),
    credential,
    secrets: secretsOf(providersFile, mcp, credential),
  };
}

export function readPolicyFile({ policyFile }: Places): PolicyFile {
  return withResolvedRoots(readPolicy(policyFile));
}

export function readProvidersFile({ providersFile }: Places): ProvidersFile {
  return readProviders(providersFile);
}

/** Every secret that a provider may be called with. */
export function secretsOf(
  file: ProvidersFile,
  mcp: Configuration["mcp"],
  credential: Configuration["credential"],
): readonly string[] {
  return secretNames(file, mcp).flatMap((name) => credential(name) ?? []);
}

export function loadCatalog(places: Places): Configuration["catalog"] {
  const { roles, problems } = loadRoles([
    { dir: places.vendorRolesDir, origin: "vendor" },
    { dir: places.operatorRolesDir, origin: "operator" },
  ]);
  const agents = loadManifests(manifestDirs(places));
  const { skills, problems: unskilled } = loadSkills(skillDirs(places));
  return {
    ...{ roles, skills, manifests: agents.manifests },
    problems: [...problems, ...agents.problems, ...unskilled],
  };
}

/** The state's folders, made where missing, and free of links, so that a path below them is what it seems. */
function resolvedPlaces(places: Places): Places {
  for (const dir of [places.stateDir, places.workspaceDir, places.runtimeDir]) {
    mkdirSync(dir, { recursive: true, mode: 0o750 });
  }
  return { ...places, workspaceDir: realpathSync(places.workspaceDir) };
}

/** A root that is a link stands for itself and for where it leads: accesses are judged as written and as resolved. */
function withResolvedRoots(policy: PolicyFile): PolicyFile {
  const both = (roots: readonly string[]): string[] => [
    ...new Set(roots.flatMap((root) => [root, resolved(root)])),
  ];
  return {
    ...policy,
    read: { allow: both(policy.read.allow), deny: both(policy.read.deny) },
    write: { allow: both(policy.write.allow), deny: both(policy.write.deny) },
  };
}

function resolved(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    // Not there yet: it stands for itself.
    return root;
  }
}

function secretNames(file: ProvidersFile, mcp: McpFile): readonly string[] {
  const ofServers = mcp.client.servers.flatMap((entry) =>
    Object.values(entry.transport === "stdio" ? entry.env : entry.headers).flatMap((value) =>
      typeof value === "string" ? [] : [value.credential],
    ),
  );
  const named = Object.values(file.providers).flatMap((entry) =>
    "credential" in entry && entry.credential !== undefined ? [entry.credential] : [],
  );
  return [...new Set([...named, ...ofServers, "deepseek", "anthropic", "openai"])];
}
