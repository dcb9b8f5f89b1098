import { withinTime } from "../base/duration.js";
import { errorText } from "../base/error-text.js";

/** What makes vectors of texts. The vectors of one `model` have one length and can be compared with each other, and with no others. */
export interface Embedder {
  /** `local:…`, or the provider's name and the model's id. */
  readonly model: string;
  /** One vector for each text, in order. Throws where it cannot. */
  readonly embed: (
    texts: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly Float32Array[]>;
  readonly close: () => Promise<void>;
}

/** An embedder, or why there is none: then memory is searched by its words alone. */
export type EmbedderChoice =
  | { readonly ok: true; readonly embedder: Embedder }
  | { readonly ok: false; readonly reason: string };

/** How long a query waits for its vector; without it, its words are searched. */
const QUERY_MS = 15_000;

/** The vector of a query, or why there is none now. */
export async function queryVector(
  choice: EmbedderChoice,
  query: string,
  signal: AbortSignal,
): Promise<
  | { readonly vector: { readonly model: string; readonly values: Float32Array } }
  | { readonly problem: string }
> {
  if (!choice.ok) return { problem: choice.reason };
  const { embedder } = choice;
  try {
    const [values] = await withinTime(QUERY_MS, signal, (until) => embedder.embed([query], until));
    if (values === undefined) return { problem: `${embedder.model} gave no vector` };
    return { vector: { model: embedder.model, values } };
  } catch (thrown) {
    return { problem: `${embedder.model}: ${errorText(thrown)}` };
  }
}
