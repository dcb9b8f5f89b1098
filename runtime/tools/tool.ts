import type { z } from "zod";
import type { AccessKind, AccessOf, Denial, Granted } from "../protocol/access.js";
import type { AgentsPort } from "../protocol/agents-port.js";
import type { CapabilityKind } from "../protocol/capability.js";
import type { JsonObject } from "../protocol/json.js";
import type { MemoryPort } from "../protocol/memory.js";
import type { Ports } from "../protocol/ports.js";
import type { SkillsPort } from "../protocol/skill.js";
import type { ToolResult } from "../protocol/tool-call.js";

export type GrantResult<K extends AccessKind> =
  | { readonly ok: true; readonly granted: Granted<K> }
  | { readonly ok: false; readonly denial: Denial };

/** All that a tool may touch: three ports, and the question that must be asked before each use of them. */
export interface ToolContext {
  readonly ports: Ports;
  /** The way to other agents; what it does is granted and journaled as any access. */
  readonly agents: AgentsPort;
  /** Resolve, check and charge one access. Ask for everything a call needs before its first side effect. */
  readonly grant: <K extends AccessKind>(access: AccessOf<K>) => Promise<GrantResult<K>>;
  /** What this agent's identity remembers. */
  readonly memory: MemoryPort;
  /** Written instructions for kinds of work. */
  readonly skills: SkillsPort;
  /** The run's own directory: relative paths are refused, temporary files of a tool go here. */
  readonly workspace: string;
  readonly web: { readonly timeout_ms: number; readonly max_redirects: number };
  readonly signal: AbortSignal;
}

/** Something a model can call. One file each; text on top of the ports. */
export interface Tool<Input = unknown> {
  readonly name: string;
  /** For the model: what it does, its limits, and how to go on when a result was cut. */
  readonly description: string;
  readonly input: z.ZodType<Input>;
  /** The schema as models see it, where it is not made from `input`. */
  readonly input_schema?: JsonObject;
  /** True where repeating the call changes nothing outside. */
  readonly read_only: boolean;
  /** Capabilities of which any one lets an agent call the tool, beside `tool: NAME`. */
  readonly implied_by: readonly CapabilityKind[];
  /** True where every agent may call it and no token is asked for: it touches nothing that is anybody's. */
  readonly open?: boolean;
  /** For a tool that is carried out elsewhere than in the agent's own ports: what confines it there, by layer. */
  readonly confinement?: () => readonly string[];
  readonly run: (input: Input, context: ToolContext) => Promise<ToolResult>;
}
