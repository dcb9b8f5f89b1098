import { z } from "zod";

/**
 * What the daemon and the process of the local embedding model say to each other: one JSON object a line. The process reads what agents
 * wrote: the daemon believes nothing of a reply but its shape.
 */
export const MODEL_WORKER_MAX_LINE_BYTES = 16 << 20;

export const ModelWorkerRequest = z.strictObject({
  id: z.int().positive(),
  texts: z.array(z.string().max(65_536)).min(1).max(64),
});
export type ModelWorkerRequest = z.infer<typeof ModelWorkerRequest>;

export const ModelWorkerReply = z.union([
  z.strictObject({
    id: z.int().positive(),
    /** Each little-endian 32-bit floats, in base64. */
    vectors: z.array(z.base64()),
  }),
  z.strictObject({ id: z.int().positive(), problem: z.string().max(2_000) }),
]);
export type ModelWorkerReply = z.infer<typeof ModelWorkerReply>;
