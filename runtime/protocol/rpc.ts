import { z } from "zod";
import { Json, JsonObject } from "./json.js";

/** A request line is at most this long, in bytes. */
export const MAX_REQUEST_BYTES = 1_048_576;

/** JSON-RPC 2.0, one object a line. `id` is mandatory: a notification is refused. */
export const RpcRequest = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.string(), z.number()]),
  method: z.string().min(1),
  params: JsonObject.default({}),
});
export type RpcRequest = z.infer<typeof RpcRequest>;

const RpcError = z.strictObject({
  code: z.int(),
  message: z.string(),
  data: z.strictObject({
    kind: z.string(),
    op: z.string().optional(),
    hint: z.string().optional(),
    details: Json.optional(),
  }),
});

export const RpcResponse = z.union([
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number()]).nullable(),
    result: Json,
  }),
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number()]).nullable(),
    error: RpcError,
  }),
]);
export type RpcResponse = z.infer<typeof RpcResponse>;
