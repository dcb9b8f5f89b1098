import { AgentdError } from "../protocol/agentd-error.js";
import type { Caller } from "../protocol/caller.js";
import type { Method } from "../protocol/control.js";
import type { NewEvent } from "../protocol/event.js";

/** Who may call a method, and whether the trail says that it was called. What it shows is cut by `visibleReader`. */
interface Access {
  /** `anyone` who may open the socket: root, the groups `aaos` and `aaos-admin`. */
  readonly who: "anyone" | "admin";
  readonly recorded: boolean;
}

const LOOKS: Access = { who: "anyone", recorded: false };
const ACTS: Access = { who: "anyone", recorded: true };
const ADMIN_LOOKS: Access = { who: "admin", recorded: false };
const ADMIN_ACTS: Access = { who: "admin", recorded: true };

/** Every method has a row; one without does not compile. */
const ACCESS: Readonly<Record<Method, Access>> = {
  "run.submit": ACTS,
  "run.list": LOOKS,
  "run.get": LOOKS,
  "run.result": LOOKS,
  "run.attach": LOOKS,
  "run.cancel": ACTS,
  "approval.list": LOOKS,
  "approval.respond": ACTS,
  "run.pause": ACTS,
  "run.resume": ACTS,
  "agent.list": LOOKS,
  "agent.status": LOOKS,
  "agent.stop": ACTS,
  "agent.pause": ACTS,
  "agent.resume": ACTS,
  "agent.clear": ACTS,
  "agent.spawn": ACTS,
  "agent.run": ACTS,
  "agent.spawn_and_run": ACTS,
  "tool.invoke": ACTS,
  "manifest.list": LOOKS,
  "agent.submit_streaming": ACTS,
  "agent.logs_streaming": LOOKS,
  "tool.list": LOOKS,
  "role.list": LOOKS,
  "role.show": LOOKS,
  "role.explain": LOOKS,
  "schedule.add": ACTS,
  "schedule.list": LOOKS,
  "schedule.remove": ACTS,
  "skill.list": LOOKS,
  "skill.show": LOOKS,
  // What it says, every later agent is told.
  "skill.add": ADMIN_ACTS,
  // Agents of one identity share a memory, whoever's runs they carry out.
  "memory.list": ADMIN_LOOKS,
  "memory.query": ADMIN_LOOKS,
  "memory.forget": ADMIN_ACTS,
  "audit.query": LOOKS,
  "audit.verify": ADMIN_LOOKS,
  "audit.tail": LOOKS,
  "system.metrics": ADMIN_LOOKS,
  "system.status": ADMIN_LOOKS,
  "system.doctor": ADMIN_LOOKS,
  "system.selftest": ADMIN_ACTS,
  "system.record": ADMIN_ACTS,
};

/** Judges one call; throws `not_permitted`. A refusal, and a call that acts, is in the journal before anything else happens. */
export type Gate = (method: Method, params: unknown, caller: Caller) => Promise<void>;

export function openGate(record: (event: NewEvent) => Promise<unknown>): Gate {
  return async (method, params, caller) => {
    const { who, recorded } = ACCESS[method];
    const allowed = caller.uid !== null && (who === "anyone" || caller.admin);
    if (recorded || !allowed) await record(eventOf(method, params, caller, allowed));
    if (allowed) return;
    throw caller.uid === null
      ? new AgentdError("not_permitted", method, "the kernel did not say who asks", {
          hint: "The native addon is missing or too old: reinstall the package aaos.",
        })
      : new AgentdError("not_permitted", method, `${method} is for operators in group aaos-admin`);
  };
}

function eventOf(method: Method, params: unknown, caller: Caller, allowed: boolean): NewEvent {
  const target = targetOf(params);
  return {
    kind: "operator_call",
    actor: caller.uid === null ? "operator" : `uid:${caller.uid}`,
    method,
    uid: caller.uid,
    groups: [...caller.groups],
    admin: caller.admin,
    allowed,
    ...(target === undefined ? {} : { target }),
  };
}

/** The id that the caller named, as they named it. */
function targetOf(params: unknown): string | undefined {
  if (typeof params !== "object" || params === null) return undefined;
  for (const name of ["run_id", "agent_id", "id", "schedule_id"]) {
    const value: unknown = Reflect.get(params, name);
    if (typeof value === "string") return value;
  }
  return undefined;
}
