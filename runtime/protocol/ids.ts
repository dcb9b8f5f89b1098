import { z } from "zod";
import { ULID_PATTERN } from "../base/ulid.js";

/** Every id is a ULID, branded by what it names, so that a run's id cannot stand where an agent's is meant. */
const ulidText = z.string().regex(ULID_PATTERN, "is no ULID (26 characters of Crockford base 32)");

export const RunId = ulidText.brand<"RunId">();
export type RunId = z.infer<typeof RunId>;

export const AgentId = ulidText.brand<"AgentId">();
export type AgentId = z.infer<typeof AgentId>;

export const ScheduleId = ulidText.brand<"ScheduleId">();
export type ScheduleId = z.infer<typeof ScheduleId>;

export const TokenId = ulidText.brand<"TokenId">();
export type TokenId = z.infer<typeof TokenId>;

export const MemoryId = ulidText.brand<"MemoryId">();
export type MemoryId = z.infer<typeof MemoryId>;

/** A step's id is the planner's own word, unique within one plan: letters, digits, `_`, `-` and `.`. */
export const StepId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "takes 1 to 64 letters, digits, '_', '-' and '.'")
  .brand<"StepId">();
export type StepId = z.infer<typeof StepId>;

/** A name that people type: of a role, a skill, a provider, a model alias. */
export const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/i, "takes 1 to 64 letters, digits, '_', '-' and '.'");
