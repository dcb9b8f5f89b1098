import { z } from "zod";
import { TOOL_ERROR_KINDS } from "./tool-call.js";

/**
 * What the daemon and a confined web worker say to each other: one JSON object a line, over the worker's stdin and stdout.
 * The worker has parsed foreign pages: the daemon believes nothing of a reply but its shape.
 */
export const WEB_WORKER_MAX_LINE_BYTES = 64 << 20;
/** A page that is asked for is at most this long, so that its reply fits into a line however it is escaped. */
export const WEB_WORKER_MAX_BODY_BYTES = 8 << 20;

export const WebWorkerRequest = z.union([
  z.strictObject({
    id: z.int().positive(),
    url: z.string().max(16_384),
    max_bytes: z.int().min(0).max(WEB_WORKER_MAX_BODY_BYTES),
    timeout_ms: z.int().positive(),
    as: z.enum(["markdown", "raw"]),
  }),
  /** The reply to `cancel` is no longer wanted; none comes. */
  z.strictObject({ cancel: z.int().positive() }),
]);
export type WebWorkerRequest = z.infer<typeof WebWorkerRequest>;

const Page = z.strictObject({
  status: z.int(),
  content_type: z.string(),
  url: z.string(),
  title: z.string().nullable(),
  body: z.string(),
  truncated: z.boolean(),
  bytes_read: z.int().min(0),
});
const Redirect = z.strictObject({ redirect: z.string(), status: z.int() });

export const WebWorkerReply = z.strictObject({
  id: z.int().positive(),
  result: z.discriminatedUnion("ok", [
    z.strictObject({ ok: z.literal(true), value: z.union([Page, Redirect]) }),
    z.strictObject({
      ok: z.literal(false),
      kind: z.enum(TOOL_ERROR_KINDS).exclude(["invalid_input", "denied"]),
      message: z.string(),
    }),
  ]),
});
export type WebWorkerReply = z.infer<typeof WebWorkerReply>;
