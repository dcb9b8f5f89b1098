import type { Readable, Writable } from "node:stream";
import { errorText } from "../base/error-text.js";
import {
  MODEL_WORKER_MAX_LINE_BYTES,
  type ModelWorkerReply,
  ModelWorkerRequest,
} from "../protocol/model-worker-wire.js";
import { textLines } from "../protocol/text-lines.js";

/**
 * The model process's whole work: one request after the other, until stdin ends. Each text goes through the model by itself, so that
 * its vector does not depend on its neighbours.
 */
export async function serveEmbeddings(
  stdin: Readable,
  stdout: Writable,
  embed: (text: string) => Promise<readonly (readonly number[])[]>,
): Promise<void> {
  for await (const line of textLines(stdin, MODEL_WORKER_MAX_LINE_BYTES)) {
    const { id, texts } = ModelWorkerRequest.parse(JSON.parse(line));
    const reply = await vectorsOf(texts, embed).then(
      (vectors): ModelWorkerReply => ({ id, vectors }),
      (thrown: unknown): ModelWorkerReply => ({ id, problem: errorText(thrown).slice(0, 2_000) }),
    );
    stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

async function vectorsOf(
  texts: readonly string[],
  embed: (text: string) => Promise<readonly (readonly number[])[]>,
): Promise<string[]> {
  const vectors: string[] = [];
  for (const text of texts) {
    const [values = []] = await embed(text);
    vectors.push(Buffer.from(Float32Array.from(values).buffer).toString("base64"));
  }
  return vectors;
}
