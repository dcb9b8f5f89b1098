import type { Journal } from "../audit/journal.js";
import type { Entropy } from "../base/ulid.js";
import type { Loaded } from "../catalog/load-dirs.js";
import type { AgentManifest } from "../catalog/manifests.js";
import type { Skill } from "../catalog/skills.js";
import type { Memory } from "../memory/memory.js";
import type { Ceiling } from "../policy/ceiling.js";
import type { Capability } from "../protocol/capability.js";
import type { Compiled, CompileRequest } from "../protocol/compile.js";
import type { PolicyFile } from "../protocol/policy-file.js";
import type { Settings } from "../protocol/settings.js";
import type { ModelDirectory } from "../providers/models.js";
import type { AgentPorts } from "../sandbox/agent-ports.js";
import type { ConfinedAgent } from "../sandbox/confined-agent.js";
import type { StoreReader } from "../store/reader.js";
import type { Tool } from "../tools/tool.js";
import type { Roles } from "./check-plan.js";
import type { McpLaunch } from "./mcp-launch.js";

/** Everything that carrying out goals needs, wired in the main. */
export interface EngineDeps {
  readonly journal: Journal;
  /** What the journal holds. */
  readonly reader: StoreReader;
  readonly models: ModelDirectory;
  /** Every tool that there is now: those of MCP servers come and go. */
  readonly tools: () => readonly Tool[];
  readonly memory: Memory;
  /** The skills of the catalog as it is now. */
  readonly skills: () => ReadonlyMap<string, Skill>;
  readonly roles: () => Roles;
  readonly manifests: () => ReadonlyMap<string, Loaded<AgentManifest>>;
  readonly settings: Settings;
  readonly policy: PolicyFile;
  /** Places that no policy can grant. */
  readonly neverGrantable: readonly string[];
  /** Where runs have their directories; absolute and resolved. */
  readonly workspaceBase: string;
  /** Throws `unavailable`, naming the layer that is missing, where this machine cannot confine an agent. */
  readonly openPorts: (agent: ConfinedAgent) => AgentPorts;
  /** So many agents are going to fetch pages, as far as one can tell: a chance to start their workers beside the planner's call. */
  readonly prepareWeb: (agents: number) => void;
  /** The plan of a confined process that holds these capabilities, under the ceiling. */
  readonly compile: (
    request: CompileRequest,
    holder: { readonly capabilities: readonly Capability[]; readonly ceiling: Ceiling },
  ) => Promise<Compiled>;
  readonly servers: McpLaunch;
  readonly entropy: Entropy;
  readonly log: (
    level: "info" | "warn" | "error",
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
}
