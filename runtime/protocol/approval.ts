import { z } from "zod";
import { ULID_PATTERN } from "../base/ulid.js";
import { Json } from "./json.js";

export const ApprovalId = z
  .string()
  .regex(ULID_PATTERN, "is no ULID (26 characters of Crockford base 32)")
  .brand<"ApprovalId">();
export type ApprovalId = z.infer<typeof ApprovalId>;

/**
 * What an operator is asked for: to let one call of a tool go ahead that needs it (`tool`), to grant a capability that a call was
 * denied for want of (`capability`), or more room in a budget that is used up (`budget`).
 */
export const ApprovalSubject = z.enum(["tool", "capability", "budget"]);
export type ApprovalSubject = z.infer<typeof ApprovalSubject>;

/** `once`: for this call, or the same amount again. `run`: until the run ends. */
export const ApprovalScope = z.enum(["once", "run"]);
export type ApprovalScope = z.infer<typeof ApprovalScope>;

/** When a denied call is offered to an operator. */
export const OfferDenials = z.enum(["never", "attended", "always"]);
export type OfferDenials = z.infer<typeof OfferDenials>;

const ApprovalState = z.enum(["pending", "granted", "denied"]);

/** One approval as clients see it: the seed's words, and what is asked in full. Times are RFC 3339. */
export const ApprovalSummary = z.strictObject({
  id: z.string(),
  run_id: z.string().nullable(),
  step_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  agent_name: z.string().nullable(),
  subject: ApprovalSubject,
  state: ApprovalState,
  /** Why it is asked. */
  description: z.string(),
  tool: z.string(),
  /** The call's arguments, as JSON where they are short enough, else the beginning of their text. */
  input: Json,
  /** The exact capability that would be granted; null where none is. */
  capability: z.string().nullable(),
  timestamp: z.string(),
  /** When the wait ends as a denial. */
  expires_at: z.string(),
  settled_at: z.string().nullable(),
  settled_by: z.string().nullable(),
  scope: ApprovalScope.nullable(),
  reason: z.string().nullable(),
});
export type ApprovalSummary = z.infer<typeof ApprovalSummary>;
