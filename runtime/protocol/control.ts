import { z } from "zod";
import { AgentLifecycle, AgentState } from "./agent.js";
import { ApprovalScope } from "./approval.js";
import { EventBody } from "./event.js";
import { MachineStory } from "./event-machine.js";
import { Json } from "./json.js";
import { MemoryCategory } from "./memory.js";
import { Usage } from "./model.js";
import { Plan } from "./plan.js";
import { Orchestration, RunRequest, RunState } from "./run.js";
import { ScheduleRequest } from "./schedule.js";
import { SkillName } from "./skill.js";
import { StepState } from "./step.js";

/** An id as an operator types it: whole, or a unique prefix or suffix of at least 4 characters. */
const IdQuery = z.string().min(4).max(26);

const RunQuery = z.strictObject({ run_id: IdQuery });
const AgentQuery = z.strictObject({ agent_id: IdQuery });
/** A skill's folder: its name, and its files by their paths in it, in base64. The whole fits into one request line. */
export const SkillUpload = z.strictObject({
  name: SkillName,
  files: z
    .array(
      z.strictObject({
        path: z
          .string()
          .max(512)
          .regex(
            /^(?!\.)[A-Za-z0-9_.-]+(\/(?!\.)[A-Za-z0-9_.-]+)*$/,
            "is no plain path below the folder",
          ),
        content: z.base64(),
      }),
    )
    .min(1)
    .max(500),
});
export type SkillUpload = z.infer<typeof SkillUpload>;

const MemoryFilter = z.strictObject({
  /** An identity: the name of a role or manifest. All of them where it is left out. */
  owner: z.string().min(1).optional(),
  category: MemoryCategory.optional(),
});

const RoleQuery = z.strictObject({ name: z.string().min(1) });

/** A message to an agent. */
const AgentText = z.string().trim().min(1).max(65_536);
const manifestSource = {
  manifest: z.string().min(1).max(262_144).optional(),
  manifest_path: z.string().min(1).max(4_096).optional(),
};
const isOne = (source: { manifest?: string | undefined; manifest_path?: string | undefined }) =>
  (source.manifest === undefined) !== (source.manifest_path === undefined);
const ONE_SOURCE = "takes one of manifest and manifest_path";

export const AuditFilter = z.strictObject({
  run_id: IdQuery.optional(),
  agent_id: IdQuery.optional(),
  kind: z.array(z.string()).optional(),
  after_seq: z.int().min(0).default(0),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  limit: z.int().min(1).max(10_000).default(1_000),
  /** Newest first. */
  reverse: z.boolean().default(false),
});
export type AuditFilter = z.infer<typeof AuditFilter>;

/** The end of the journal at some time, signed with the machine's key (hex, base64). */
export const SignedHead = z.strictObject({
  seq: z.int().positive(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.string(),
  signature: z.string().max(200),
});

/** Parameters by method: the whole socket API on one screen. */
export const METHODS = {
  "run.submit": RunRequest,
  "run.list": z.strictObject({ all: z.boolean().default(false) }),
  "run.get": RunQuery,
  /** Each document is given up to `max_bytes` of it. */
  "run.result": z.strictObject({
    ...RunQuery.shape,
    max_bytes: z.int().min(1).max(16_777_216).default(4_194_304),
  }),
  "run.attach": z.strictObject({
    run_id: IdQuery,
    after_seq: z.int().min(0).default(0),
    /** An operator is there who can be asked in place: denied calls may be offered. */
    attended: z.boolean().default(false),
  }),
  "run.cancel": RunQuery,
  "approval.list": z.strictObject({}),
  "approval.respond": z.strictObject({
    id: IdQuery,
    decision: z.enum(["approve", "deny"]),
    /** For `approve`. */
    scope: ApprovalScope.default("once"),
    /** For `deny`. */
    reason: z.string().min(1).max(1_000).default("denied by human"),
  }),
  "run.pause": RunQuery,
  "run.resume": RunQuery,
  "agent.list": z.strictObject({ all: z.boolean().default(false) }),
  "agent.status": AgentQuery,
  "agent.stop": AgentQuery,
  "agent.pause": AgentQuery,
  "agent.resume": AgentQuery,
  /** What was said to the agent before no longer counts; its transcript stays in the journal. */
  "agent.clear": AgentQuery,
  /** `manifest` is a name of the catalog or YAML whole; `manifest_path` a file of the catalog. */
  "agent.spawn": z.strictObject(manifestSource).refine(isOne, ONE_SOURCE),
  /** Without `wait` an on-demand agent is waited for, and one that lives on is not. */
  "agent.run": z.strictObject({
    ...AgentQuery.shape,
    message: AgentText,
    wait: z.boolean().optional(),
  }),
  "agent.spawn_and_run": z
    .strictObject({ ...manifestSource, message: AgentText })
    .refine(isOne, ONE_SOURCE),
  "tool.invoke": z.strictObject({ ...AgentQuery.shape, tool: z.string().min(1), input: Json }),
  "manifest.list": z.strictObject({}),
  "agent.submit_streaming": z.strictObject({
    ...RunRequest.shape,
    orchestration: Orchestration.default("auto"),
  }),
  "agent.logs_streaming": z.strictObject({ agent_id: IdQuery, follow: z.boolean().default(true) }),
  "schedule.add": ScheduleRequest,
  "schedule.list": z.strictObject({ all: z.boolean().default(false) }),
  "schedule.remove": z.strictObject({ schedule_id: IdQuery }),
  "tool.list": z.strictObject({}),
  "role.list": z.strictObject({}),
  "role.show": RoleQuery,
  "role.explain": z.strictObject({ ...RoleQuery.shape, params: RunRequest.shape.params }),
  "skill.list": z.strictObject({}),
  "skill.show": z.strictObject({ name: z.string().min(1) }),
  "skill.add": SkillUpload,
  "memory.list": z.strictObject({
    ...MemoryFilter.shape,
    limit: z.int().min(1).max(10_000).default(100),
  }),
  "memory.query": z.strictObject({
    ...MemoryFilter.shape,
    query: z.string().min(1).max(4_096),
    limit: z.int().min(1).max(100).default(10),
  }),
  /** Either memories or one whole identity. */
  "memory.forget": z
    .strictObject({
      memory_ids: z.array(IdQuery).max(1_000).default([]),
      owner: z.string().min(1).optional(),
    })
    .refine(
      ({ memory_ids, owner }) => memory_ids.length > 0 !== (owner !== undefined),
      "needs memory_ids or an owner, and not both",
    ),
  "audit.query": AuditFilter,
  /** `heads` that were kept elsewhere: a tail that was cut together with the heads on file is found by them. */
  "audit.verify": z.strictObject({ heads: z.array(SignedHead).max(10_000).default([]) }),
  "audit.tail": AuditFilter,
  /** Prometheus' text format. */
  "system.metrics": z.strictObject({}),
  "system.status": z.strictObject({}),
  "system.doctor": z.strictObject({}),
  "system.selftest": z.strictObject({}),
  "system.record": z.strictObject({ event: MachineStory }),
} as const;
export type Method = keyof typeof METHODS;
export type MethodParams<M extends Method> = z.output<(typeof METHODS)[M]>;

/** Methods that answer with frames and then close the connection; all others answer with one response. */
export const STREAMING: ReadonlySet<Method> = new Set<Method>([
  "run.attach",
  "agent.submit_streaming",
  "agent.logs_streaming",
  "audit.tail",
]);

/** An event on the wire: envelope and fields. Looser than `AuditEvent`, so that an older client reads a newer daemon. */
export const WireEvent = z.looseObject({
  seq: z.int(),
  id: z.string(),
  time: z.string(),
  kind: z.string(),
  actor: z.string(),
  run_id: z.string().optional(),
  step_id: z.string().optional(),
  agent_id: z.string().optional(),
});
export type WireEvent = z.infer<typeof WireEvent>;

/** One line of a stream. `end` is the last. The words are the seed's. */
export const Frame = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("event"), event: WireEvent }),
  z.strictObject({ kind: z.literal("lag"), missed: z.int() }),
  z.strictObject({ kind: z.literal("plan"), plan: Plan }),
  z.strictObject({ kind: z.literal("final_text"), text: z.string() }),
  z.strictObject({
    kind: z.literal("end"),
    exit_code: z.int().min(0).max(4),
    run_id: z.string().optional(),
    state: z.string().optional(),
    final_output: z.string().optional(),
    input_tokens: z.int(),
    output_tokens: z.int(),
    usd: z.number(),
    elapsed_ms: z.int(),
    /** What went wrong, in a sentence; `error_kind` is the code of the catalogue and `hint` what to do next. */
    error: z.string().optional(),
    error_kind: z.string().optional(),
    hint: z.string().optional(),
  }),
]);
export type Frame = z.infer<typeof Frame>;

/** A run in a list. Times are RFC 3339. */
export const RunSummary = z.strictObject({
  run_id: z.string(),
  goal: z.string(),
  state: RunState,
  owner_uid: z.int().nullable(),
  submitted_at: z.string(),
  ended_at: z.string().nullable(),
  steps_total: z.int(),
  steps_done: z.int(),
  usage: Usage,
  /** How often a daemon has taken it up after another had ended. */
  recoveries: z.int(),
  /** Why it is paused, and by whom; null while it is not. */
  paused: z.string().nullable(),
});
export type RunSummary = z.infer<typeof RunSummary>;

export const StepSummary = z.strictObject({
  step_id: z.string(),
  role: z.string(),
  state: StepState,
  depends_on: z.array(z.string()),
  agent_id: z.string().nullable(),
  model: z.string().nullable(),
  started_at: z.string().nullable(),
  ended_at: z.string().nullable(),
  usage: Usage,
  outputs: z.array(z.string()),
  error: z.string().nullable(),
});
export type StepSummary = z.infer<typeof StepSummary>;

export const AgentSummary = z.strictObject({
  agent_id: z.string(),
  run_id: z.string().nullable(),
  step_id: z.string().nullable(),
  name: z.string(),
  model: z.string(),
  state: AgentState,
  capability_count: z.int(),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  parent_agent: z.string().nullable(),
  lifecycle: AgentLifecycle,
  /** Whose it is, where it belongs to no run. */
  owner_uid: z.int().nullable(),
  /** Messages that wait for it. */
  mailbox: z.int(),
  usage: Usage,
});
export type AgentSummary = z.infer<typeof AgentSummary>;

/** Narrow an unknown wire event to one this version knows, or undefined. */
export function knownEvent(event: WireEvent): z.infer<typeof EventBody> | undefined {
  const {
    seq: _s,
    id: _i,
    time: _t,
    run_id: _r,
    step_id: _st,
    agent_id: _a,
    parent: _p,
    actor: _ac,
    ...body
  } = event;
  const parsed = EventBody.safeParse(body);
  return parsed.success ? parsed.data : undefined;
}
