import { z } from "zod";
import { Json } from "./json.js";

/** A call as a model asked for it. `malformed` holds the raw arguments where they were no JSON; `input` is then null. */
export const ToolCallRequest = z.strictObject({
  id: z.string().min(1),
  name: z.string().min(1),
  input: Json,
  malformed: z.string().optional(),
});
export type ToolCallRequest = z.infer<typeof ToolCallRequest>;

/** One entry of a conversation, independent of any model API. */
export const Message = z.discriminatedUnion("role", [
  z.strictObject({ role: z.literal("system"), text: z.string() }),
  z.strictObject({ role: z.literal("user"), text: z.string() }),
  z.strictObject({
    role: z.literal("assistant"),
    text: z.string(),
    /** What a thinking model wrote before its answer; some APIs want it back on tool-call turns. */
    reasoning: z.string().optional(),
    /** The API's own opaque blocks of this turn (signed thinking), given back unchanged. */
    opaque: z.array(Json).optional(),
    tool_calls: z.array(ToolCallRequest),
  }),
  z.strictObject({
    role: z.literal("tool"),
    call_id: z.string(),
    tool: z.string(),
    /** The result as JSON text. */
    text: z.string(),
    is_error: z.boolean(),
  }),
]);
export type Message = z.infer<typeof Message>;
export type AssistantMessage = Extract<Message, { role: "assistant" }>;
