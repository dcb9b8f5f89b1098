/** What one server of the Chat Completions family takes; learnt from its refusals, kept as long as the stream. */
export interface OpenaiDialect {
  readonly token_limit: "max_tokens" | "max_completion_tokens";
  readonly stream_options: boolean;
  /** `seen`: reasoning goes back where the conversation holds any (DeepSeek demands it). */
  readonly reasoning: "seen" | "always" | "never";
}

export const FIRST_DIALECT: OpenaiDialect = {
  token_limit: "max_tokens",
  stream_options: true,
  reasoning: "seen",
};

/** The dialect to try after a 400 that says `refusal`, or undefined where the refusal is about something else. */
export function adaptDialect(dialect: OpenaiDialect, refusal: string): OpenaiDialect | undefined {
  if (dialect.token_limit === "max_tokens" && refusal.includes("max_completion_tokens"))
    return { ...dialect, token_limit: "max_completion_tokens" };
  if (dialect.stream_options && refusal.includes("stream_options"))
    return { ...dialect, stream_options: false };
  if (dialect.reasoning === "seen" && refusal.includes("reasoning_content")) {
    const unwanted = /not allowed|unexpected|unknown|unrecognized|extra/i.test(refusal);
    return { ...dialect, reasoning: unwanted ? "never" : "always" };
  }
  return undefined;
}
