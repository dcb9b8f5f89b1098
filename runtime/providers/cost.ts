import type { Usage } from "../protocol/model.js";

/** US dollars per million tokens, as providers.yaml says. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** Tokens with what they cost. Never negative; a fraction of a token is rounded up. */
export function priced(inputTokens: number, outputTokens: number, price: Price): Usage {
  const input = count(inputTokens);
  const output = count(outputTokens);
  return {
    input_tokens: input,
    output_tokens: output,
    usd: (input * price.input + output * price.output) / 1_000_000,
  };
}

/** Tokens of a text where the provider reported none: four bytes a token, so that budgets bind all the same. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text, "utf8") / 4);
}

/** More than any call can use: a server that reports nonsense must not break the sum. */
const MAX_TOKENS = 1_000_000_000;

function count(tokens: number): number {
  return Number.isFinite(tokens) && tokens > 0 ? Math.min(Math.ceil(tokens), MAX_TOKENS) : 0;
}
