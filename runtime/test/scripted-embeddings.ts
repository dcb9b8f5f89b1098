import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { EmbedderChoice } from "../memory/embedder.js";
import { ProvidersFile } from "../protocol/providers-file.js";
import { embeddingsWish } from "../providers/embeddings.js";

/** An OpenAI-compatible endpoint for embeddings whose model counts words: texts with the same words are near each other. */
export interface ScriptedEmbeddings extends AsyncDisposable {
  readonly url: string;
  /** Every text that was embedded, by model, in order. */
  readonly asked: readonly { readonly model: string; readonly text: string }[];
  /** From now on every call answers with this status; null is well again. */
  readonly fail: (status: number | null) => void;
  /** What the daemon makes of a providers.yaml that names it. */
  readonly choice: (model: string) => EmbedderChoice;
}

export async function scriptedEmbeddings(dimensions = 64): Promise<ScriptedEmbeddings> {
  const asked: { model: string; text: string }[] = [];
  let status: number | null = null;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("utf8");
    });
    request.on("end", () => {
      if (status !== null) {
        response.writeHead(status).end("no");
        return;
      }
      const { model, input } = JSON.parse(body) as { model: string; input: string[] };
      for (const text of input) asked.push({ model, text });
      const size = model === "wide" ? dimensions * 2 : dimensions;
      const data = input.map((text, index) => ({ index, embedding: wordVector(text, size) }));
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ data: data.reverse(), model }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return {
    ...{ url, asked },
    fail: (with_) => {
      status = with_;
    },
    choice: (model) => {
      const file = ProvidersFile.parse({
        providers: { vectors: { api: "openai", base_url: url } },
        models: { [model]: { provider: "vectors" } },
        aliases: { embeddings: model },
      });
      const wish = embeddingsWish({ file, credential: () => undefined });
      if (wish.kind !== "remote") throw new Error(wish.kind);
      return { ok: true, embedder: { ...wish.embeddings, close: () => Promise.resolve() } };
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function wordVector(text: string, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => -0.01);
  for (const word of text.toLowerCase().match(/\w+/g) ?? []) {
    let hash = 7;
    for (const letter of word) hash = (hash * 31 + letter.charCodeAt(0)) % 1_000_003;
    const place = hash % dimensions;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  return vector;
}
