import { z } from "zod";
import { ULID_PATTERN } from "../base/ulid.js";
import { AgentEvents } from "./event-agent.js";
import { MachineEvents } from "./event-machine.js";
import { RunEvents } from "./event-run.js";
import { ScheduleEvents } from "./event-schedule.js";
import { ToolEvents } from "./event-tool.js";
import { AgentId, RunId, StepId } from "./ids.js";

/** What happened: a kind and its fields, in five files by whom it happened to. The seed's 33 kinds keep their names. */
export const EventBody = z.discriminatedUnion("kind", [
  ...RunEvents,
  ...AgentEvents,
  ...ToolEvents,
  ...ScheduleEvents,
  ...MachineEvents,
]);
export type EventBody = z.infer<typeof EventBody>;
export type EventKind = EventBody["kind"];
/** Every kind there is, in the order of their files. */
export const EVENT_KINDS: readonly string[] = [
  ...RunEvents,
  ...AgentEvents,
  ...ToolEvents,
  ...ScheduleEvents,
  ...MachineEvents,
].map(({ shape }) => shape.kind.value);
export type EventBodyOf<K extends EventKind> = Extract<EventBody, { kind: K }>;

/** Whom it happened to and who did it. `actor`: `daemon`, `planner`, `agent`, or `uid:1000` for an operator. */
export const EventContext = z.strictObject({
  run_id: RunId.optional(),
  step_id: StepId.optional(),
  agent_id: AgentId.optional(),
  /** `seq` of the event that led to this one. */
  parent: z.int().positive().optional(),
  actor: z.string().min(1),
});
export type EventContext = z.infer<typeof EventContext>;

/** An event to append. */
export type NewEvent = EventContext & EventBody;

/** The envelope of a stored event. `time` is RFC 3339 with milliseconds, in UTC. */
export const EventEnvelope = z.strictObject({
  ...EventContext.shape,
  seq: z.int().positive(),
  id: z.string().regex(ULID_PATTERN),
  time: z.iso.datetime({ precision: 3 }),
  kind: z.string(),
});
export type EventEnvelope = z.infer<typeof EventEnvelope>;

/** An event as it was stored and as clients see it: envelope and fields side by side, in one flat object. */
export type AuditEvent = Omit<EventEnvelope, "kind"> & EventBody;
/** An event whose content was erased: the envelope stands, the fields are gone. */
export type ErasedEvent = EventEnvelope & { readonly erased: true };
