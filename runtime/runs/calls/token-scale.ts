import type { ModelRequest } from "../../protocol/model.js";

/** Tokens a byte where nothing is known of a model yet: four bytes a token. */
const FIRST_GUESS = 0.25;
/** What an API adds to a request of its own. Tokens. */
const OVERHEAD = 64;
/** How much the newest call changes the expectation. */
const WEIGHT = 0.3;

interface Scale {
  likely: number;
  most: number;
}

/** How many tokens a request has, learned from what each model's calls reported. */
export interface TokenScale {
  readonly learn: (model: string, request: ModelRequest, inputTokens: number) => void;
  /**
   * `most`: no tokenizer makes more tokens than there are bytes; where a model has counted more all the same, what it has
   * counted at most.
   */
  readonly estimate: (
    model: string,
    request: ModelRequest,
  ) => { readonly likely: number; readonly most: number };
}

export function openTokenScale(): TokenScale {
  const scales = new Map<string, Scale>();
  return {
    learn: (model, request, inputTokens) => {
      if (inputTokens <= 0) return;
      const seen = inputTokens / bytesOf(request);
      const scale = scales.get(model);
      if (scale === undefined) scales.set(model, { likely: seen, most: seen });
      else {
        scale.likely += (seen - scale.likely) * WEIGHT;
        scale.most = Math.max(scale.most, seen);
      }
    },
    estimate: (model, request) => {
      const bytes = bytesOf(request);
      const scale = scales.get(model) ?? { likely: FIRST_GUESS, most: 0 };
      return {
        likely: Math.ceil(bytes * scale.likely),
        most: Math.ceil(bytes * Math.max(1, scale.most)) + OVERHEAD,
      };
    },
  };
}

function bytesOf({ messages, tools, structured }: ModelRequest): number {
  const schema =
    structured === undefined ? 0 : Buffer.byteLength(JSON.stringify(structured.schema));
  return (
    Buffer.byteLength(JSON.stringify(messages)) + Buffer.byteLength(JSON.stringify(tools)) + schema
  );
}
