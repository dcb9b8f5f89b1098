import type { VerifyReport } from "../audit/verify.js";
import type { SignedHead } from "../audit/writer-protocol.js";
import type { Loaded } from "../catalog/load-dirs.js";
import type { AgentManifest } from "../catalog/manifests.js";
import type { Skill } from "../catalog/skills.js";
import type { Memory } from "../memory/memory.js";
import type { SkillUpload } from "../protocol/control.js";
import type {
  CatalogProblem,
  DaemonStatus,
  DoctorCheck,
  RoleExplanation,
  RoleReport,
  SelftestReport,
} from "../protocol/control-results.js";
import type { AuditEvent, NewEvent } from "../protocol/event.js";
import type { ToolSpec } from "../protocol/model.js";
import type { SkillReport } from "../protocol/skill.js";
import type { RunEngine } from "../runs/engine.js";
import type { Peer } from "../runs/peer.js";
import type { Schedules } from "../runs/schedules.js";
import type { StoreReader } from "../store/reader.js";
import type { Metrics } from "./metrics.js";

/** Where events come from: what is committed, and what has just been. */
export interface EventSource {
  readonly reader: Pick<StoreReader, "events">;
  /** Calls `listener` with every batch after it was committed, in order of `seq`; returns the end of the subscription. */
  readonly subscribe: (listener: (events: readonly AuditEvent[]) => void) => () => void;
}

/** Everything a handler may use; wired in the main. */
export interface ControlDeps extends EventSource {
  readonly engine: RunEngine;
  readonly schedules: Pick<Schedules, "add" | "remove">;
  readonly reader: StoreReader;
  /** The catalog as it is now: vendor and operator, what is shadowed left out. */
  readonly roles: () => {
    readonly roles: ReadonlyMap<string, RoleReport>;
    readonly problems: readonly CatalogProblem[];
  };
  readonly manifests: () => ReadonlyMap<string, Loaded<AgentManifest>>;
  readonly explainRole: (
    role: RoleReport,
    params: Readonly<Record<string, string | string[]>>,
  ) => RoleExplanation;
  readonly skills: () => {
    readonly skills: ReadonlyMap<string, Skill>;
    readonly problems: readonly CatalogProblem[];
  };
  /** Throws `invalid_file`; the catalog has been read again when it returns. */
  readonly addSkill: (upload: SkillUpload) => SkillReport;
  readonly memory: Pick<Memory, "list" | "query" | "match" | "forget">;
  readonly toolSpecs: () => readonly ToolSpec[];
  readonly status: () => DaemonStatus;
  readonly metrics: Metrics;
  readonly doctor: (signal: AbortSignal) => Promise<readonly DoctorCheck[]>;
  readonly selftest: (peer: Peer, signal: AbortSignal) => Promise<SelftestReport>;
  /** Appends an event; gives its `seq` when it is durable. */
  readonly record: (event: NewEvent) => Promise<number>;
  readonly verify: (heads: readonly SignedHead[], signal: AbortSignal) => Promise<VerifyReport>;
}
