import { z } from "zod";
import { withinTime } from "../base/duration.js";
import { oneLine } from "../base/text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { DEFAULT_BASE_URL } from "../protocol/known-providers.js";
import type { ProvidersFile } from "../protocol/providers-file.js";
import { type NetworkOptions, providerFetch } from "./network.js";

/** The alias of providers.yaml that names the embedding model; `none` as its value switches embeddings off. */
const EMBEDDINGS_ALIAS = "embeddings";
/** The value by which an operator asks for the local model; so does leaving the alias out. */
const LOCAL = "local";
const OFF = "none";

const Answer = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()).min(1) })),
});

export interface RemoteEmbeddings {
  /** The provider's name and the model's id, by which vectors are told apart. */
  readonly model: string;
  readonly embed: (
    texts: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly Float32Array[]>;
}

export type EmbeddingsWish =
  | { readonly kind: "local" }
  | { readonly kind: "off" }
  | { readonly kind: "remote"; readonly embeddings: RemoteEmbeddings }
  /** What providers.yaml says cannot be. */
  | { readonly kind: "wrong"; readonly problem: string };

export interface EmbeddingsOptions extends NetworkOptions {
  readonly file: ProvidersFile;
  readonly credential: (name: string) => string | undefined;
}

/** Which embeddings providers.yaml asks for: an OpenAI-compatible endpoint, the local model, or none. Nothing is called here. */
export function embeddingsWish(options: EmbeddingsOptions): EmbeddingsWish {
  const { file, credential } = options;
  const model = file.aliases[EMBEDDINGS_ALIAS];
  if (model === undefined || model === LOCAL) return { kind: "local" };
  if (model === OFF) return { kind: "off" };
  const name = file.models[model]?.provider ?? file.default;
  const entry = name === undefined ? undefined : file.providers[name];
  if (name === undefined || entry === undefined) {
    return wrong(`the model "${model}" of the alias embeddings has no provider that is defined`);
  }
  if (entry.api !== "openai") {
    return wrong(`the provider "${name}" of the alias embeddings must be one of api: openai`);
  }
  const key = entry.credential === undefined ? undefined : credential(entry.credential);
  if (entry.credential !== undefined && (key ?? "") === "") {
    return wrong(`${name}: there is no credential "${entry.credential}"`);
  }
  const base = (entry.base_url ?? DEFAULT_BASE_URL.openai).replace(/\/+$/, "");
  const network = providerFetch(options);
  const ask = { url: `${base}/embeddings`, provider: name, model, key, network };
  return {
    kind: "remote",
    embeddings: {
      model: `${name}/${model}`,
      embed: (texts, signal) =>
        withinTime(entry.timeout_s * 1_000, signal, (until) => embedAt(ask, texts, until)),
    },
  };
}

interface Ask {
  readonly url: string;
  readonly provider: string;
  readonly model: string;
  readonly key: string | undefined;
  readonly network: typeof fetch;
}

async function embedAt(
  { url, provider, model, key, network }: Ask,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<readonly Float32Array[]> {
  const response = await network(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify({ model, input: texts, encoding_format: "float" }),
    signal,
  });
  const body = await response.text();
  if (!response.ok) throw failed(provider, `answered ${response.status}: ${oneLine(body, 200)}`);
  const parsed = Answer.safeParse(asJson(body));
  if (!parsed.success) throw failed(provider, "the answer holds no embeddings");
  const vectors = new Map(
    parsed.data.data.map(({ index, embedding }) => [index, Float32Array.from(embedding)]),
  );
  return texts.map((_, index) => {
    const vector = vectors.get(index);
    if (vector === undefined)
      throw failed(provider, "the answer holds fewer embeddings than asked for");
    return vector;
  });
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function failed(provider: string, message: string): AgentdError {
  return new AgentdError("provider_unavailable", "embed text", `${provider}: ${message}`);
}

function wrong(problem: string): EmbeddingsWish {
  return { kind: "wrong", problem };
}
