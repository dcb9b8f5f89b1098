import type { Journal } from "../audit/journal.js";
import type { Entropy } from "../base/ulid.js";
import type { Denial } from "../protocol/access.js";
import type { AgentId } from "../protocol/ids.js";
import type { PolicyFile } from "../protocol/policy-file.js";
import type { Ports } from "../protocol/ports.js";
import type { Settings } from "../protocol/settings.js";
import type { Token } from "../protocol/token.js";
import type { ModelDirectory } from "../providers/models.js";
import type { Tool } from "../tools/tool.js";
import type { Roles } from "./check-plan.js";

/** The ports of one agent, and what confines them. */
export interface AgentPorts extends Ports {
  /** The layers in force; empty while nothing is confined. */
  readonly confinement: readonly string[];
  readonly close: () => Promise<void>;
}

/** Everything that carrying out goals needs, wired in the main. */
export interface EngineDeps {
  readonly journal: Journal;
  readonly models: ModelDirectory;
  readonly tools: readonly Tool[];
  readonly roles: () => Roles;
  readonly settings: Settings;
  readonly policy: PolicyFile;
  /** Places that no policy can grant. */
  readonly neverGrantable: readonly string[];
  /** Where runs have their directories; absolute and resolved. */
  readonly workspaceBase: string;
  readonly openPorts: (agent: {
    readonly id: AgentId;
    readonly workspace: string;
    readonly tokens: readonly Token[];
    /** Refuses an address that a granted host resolved to; asked before each connection. */
    readonly judgeAddress: (to: {
      host: string;
      port: number;
      address: string;
    }) => Denial | undefined;
  }) => Promise<AgentPorts>;
  readonly entropy: Entropy;
  readonly log: (
    level: "info" | "warn" | "error",
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void;
}
