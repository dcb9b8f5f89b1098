import { z } from "zod";
import { StopReason } from "./agent.js";
import { ApprovalSummary } from "./approval.js";
import { BudgetLine, ModelLatency, ProviderQueue } from "./budget.js";
import { AgentSummary, type Method, RunSummary, StepSummary, WireEvent } from "./control.js";
import { Json, JsonObject } from "./json.js";
import { Manifest } from "./manifest.js";
import { FoundMemory, MemoryEntry } from "./memory.js";
import { Plan } from "./plan.js";
import { Role } from "./role.js";
import { RunRequest } from "./run.js";
import { ScheduleSummary } from "./schedule.js";
import { SkillReport } from "./skill.js";
import { Token } from "./token.js";

/** One run with everything that the journal knows of it. */
export const RunReport = z.strictObject({
  ...RunSummary.shape,
  request: RunRequest,
  plan: Plan.nullable(),
  steps: z.array(StepSummary),
  final_output: z.string().nullable(),
  final_text: z.string().nullable(),
  documents: z.array(z.string()),
  error: z.strictObject({ kind: z.string(), message: z.string() }).nullable(),
  /** `seq` of the run's newest event: attach after it to see only what is new. */
  last_seq: z.int(),
  /** What of its budgets is used: its own, its time's, and while it is under way those of its steps. */
  budgets: z.array(BudgetLine),
  /** Layers that confined the run's newest tool call; null while it made none, empty where nothing confined it. */
  confinement: z.array(z.string()).nullable(),
});
export type RunReport = z.infer<typeof RunReport>;

const TokenReport = z.strictObject({
  ...Token.shape,
  revoked_at: z.int().nullable(),
  uses: z.int(),
});

export const AgentReport = z.strictObject({
  ...AgentSummary.shape,
  tokens: z.array(TokenReport),
  /** What of its manifest's budget is used; empty where it has none, or does not live on. */
  budgets: z.array(BudgetLine),
  /** As in a run's report. */
  confinement: z.array(z.string()).nullable(),
});
export type AgentReport = z.infer<typeof AgentReport>;

/** A document of a run as the daemon could read it: `text` is null where it could not, and `problem` then says why. */
export const DocumentReport = z.strictObject({
  path: z.string(),
  text: z.string().nullable(),
  size_bytes: z.int().nullable(),
  truncated: z.boolean(),
  problem: z.string().nullable(),
});
export type DocumentReport = z.infer<typeof DocumentReport>;

export const ResultReport = z.strictObject({
  run_id: z.string(),
  state: z.string(),
  final_output: z.string().nullable(),
  final_text: z.string().nullable(),
  documents: z.array(DocumentReport),
});
export type ResultReport = z.infer<typeof ResultReport>;

/** A file of the catalog that was refused; it disabled itself and nothing else. */
export const CatalogProblem = z.strictObject({
  file: z.string(),
  line: z.int(),
  column: z.int(),
  /** `capabilities[2]`; empty for the file as a whole. */
  field: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
});
export type CatalogProblem = z.infer<typeof CatalogProblem>;

export const RoleReport = z.strictObject({
  role: Role,
  file: z.string(),
  origin: z.enum(["vendor", "operator"]),
});
export type RoleReport = z.infer<typeof RoleReport>;

const ManifestReport = z.strictObject({
  manifest: Manifest,
  file: z.string(),
  origin: z.enum(["vendor", "operator"]),
});

/** What one message to an agent came to. */
const AgentAnswer = z.strictObject({
  agent_id: z.string(),
  response: z.string(),
  usage: z.strictObject({ input_tokens: z.int(), output_tokens: z.int() }),
  iterations: z.int(),
  stop_reason: StopReason,
  message: z.string().optional(),
});

/** What an agent of a role would get: the written form of each token, and what the operator's ceiling keeps back. */
export const RoleExplanation = z.strictObject({
  role: z.string(),
  params: JsonObject,
  granted: z.array(z.string()),
  withheld: z.array(z.strictObject({ capability: z.string(), reason: z.string() })),
});
export type RoleExplanation = z.infer<typeof RoleExplanation>;

const ChainHead = z.strictObject({ seq: z.int(), hash: z.string() });

const VerifyReport = z.strictObject({
  ok: z.boolean(),
  events: z.int(),
  /** Events whose content was erased on purpose; their place in the chain was verified. */
  erased: z.int(),
  /** What was found; `seq` is the event concerned, 0 where it is none. */
  problems: z.array(z.strictObject({ seq: z.int(), problem: z.string() })),
  /** The end of the chain; null for an empty journal. */
  head: ChainHead.nullable(),
  /** The newest head that the machine's key signed. */
  signed_head: z
    .strictObject({ ...ChainHead.shape, time: z.string(), signature: z.string() })
    .nullable(),
});

export const DaemonStatus = z.strictObject({
  /** The machine's day, by policy.yaml; empty where it has no limits. */
  budgets: z.array(BudgetLine),
  /** Of the models that were called. */
  models: z.array(ModelLatency),
  /** Of the providers that were called. */
  providers: z.array(ProviderQueue),
  version: z.string(),
  pid: z.int(),
  started_at: z.string(),
  default_provider: z.string(),
  runs_active: z.int(),
  agents_active: z.int(),
  /** Layers in force around tool calls; empty where nothing is confined. */
  confinement: z.array(z.string()),
});
export type DaemonStatus = z.infer<typeof DaemonStatus>;

/** One line of `agentd doctor`. A `fail` makes the check as a whole fail; every line but `ok` has a remedy. */
export const DoctorCheck = z.strictObject({
  name: z.string(),
  verdict: z.enum(["ok", "warn", "fail"]),
  detail: z.string(),
  remedy: z.string().nullable(),
});
export type DoctorCheck = z.infer<typeof DoctorCheck>;

/** What a selftest came to: a line for each thing that had to work and each that had to be refused. */
export const SelftestReport = z.strictObject({
  ok: z.boolean(),
  elapsed_ms: z.int(),
  checks: z.array(DoctorCheck),
});
export type SelftestReport = z.infer<typeof SelftestReport>;

/** Results by method; the streaming methods answer with frames instead. */
export const RESULTS = {
  "run.submit": z.strictObject({ run_id: z.string() }),
  "run.list": z.strictObject({ runs: z.array(RunSummary) }),
  "run.get": RunReport,
  "run.result": ResultReport,
  "run.cancel": z.strictObject({ ok: z.literal(true), run_id: z.string() }),
  "approval.list": z.strictObject({ pending: z.array(ApprovalSummary) }),
  "approval.respond": z.strictObject({ ok: z.literal(true), id: z.string() }),
  "run.pause": z.strictObject({ ok: z.literal(true), run_id: z.string() }),
  "run.resume": z.strictObject({ ok: z.literal(true), run_id: z.string() }),
  "agent.list": z.strictObject({ agents: z.array(AgentSummary) }),
  "agent.status": AgentReport,
  "agent.stop": z.strictObject({ ok: z.literal(true), agent_id: z.string() }),
  "schedule.add": ScheduleSummary,
  "schedule.list": z.strictObject({ schedules: z.array(ScheduleSummary) }),
  "schedule.remove": z.strictObject({ ok: z.literal(true), schedule_id: z.string() }),
  "agent.pause": z.strictObject({ ok: z.literal(true), agent_id: z.string() }),
  "agent.resume": z.strictObject({ ok: z.literal(true), agent_id: z.string() }),
  "agent.clear": z.strictObject({ ok: z.literal(true), agent_id: z.string() }),
  "agent.spawn": z.strictObject({ agent_id: z.string() }),
  "agent.run": z.union([
    AgentAnswer,
    z.strictObject({ trace_id: z.string(), status: z.literal("delivered") }),
  ]),
  "agent.spawn_and_run": AgentAnswer,
  "tool.invoke": z.strictObject({ result: Json }),
  "manifest.list": z.strictObject({
    manifests: z.array(ManifestReport),
    problems: z.array(CatalogProblem),
  }),
  "tool.list": z.strictObject({
    tools: z.array(
      z.strictObject({ name: z.string(), description: z.string(), input_schema: JsonObject }),
    ),
  }),
  "role.list": z.strictObject({
    roles: z.array(RoleReport),
    problems: z.array(CatalogProblem),
  }),
  "role.show": RoleReport,
  "role.explain": RoleExplanation,
  "skill.list": z.strictObject({ skills: z.array(SkillReport), problems: z.array(CatalogProblem) }),
  "skill.show": z.strictObject({ ...SkillReport.shape, instructions: z.string() }),
  "skill.add": SkillReport,
  "memory.list": z.strictObject({ memories: z.array(MemoryEntry) }),
  "memory.query": z.strictObject({
    results: z.array(FoundMemory),
    /** Why meaning was not searched; null where it was. */
    text_only: z.string().nullable(),
  }),
  "memory.forget": z.strictObject({
    ok: z.literal(true),
    memories: z.int(),
    /** Events whose content is gone from the journal. */
    erased: z.int(),
    /** Events of agents at work that still hold some of it. */
    kept: z.int(),
  }),
  "audit.query": z.strictObject({ events: z.array(WireEvent) }),
  "audit.verify": VerifyReport,
  "system.metrics": z.strictObject({ text: z.string() }),
  "system.status": DaemonStatus,
  "system.doctor": z.strictObject({ checks: z.array(DoctorCheck) }),
  "system.selftest": SelftestReport,
  "system.record": z.strictObject({ seq: z.int().positive() }),
} as const satisfies Partial<Record<Method, z.ZodType>>;
export type CallMethod = keyof typeof RESULTS;
export type CallResult<M extends CallMethod> = z.output<(typeof RESULTS)[M]>;
export type StreamMethod = Exclude<Method, CallMethod>;
