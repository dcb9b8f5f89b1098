import { ModelEntry, ProviderEntry } from "./providers-file.js";

/** A provider that needs no entry in providers.yaml where its credential is there. */
interface WellKnown {
  readonly name: string;
  readonly entry: ProviderEntry;
  /** What planner, fast and strong are, where providers.yaml has no such alias. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly models: Readonly<Record<string, ModelEntry>>;
}

/** In the order in which they are assumed. Data, not code: providers.yaml overrides all of it. A price of 0 is an unknown price. */
export const WELL_KNOWN: readonly WellKnown[] = [
  {
    name: "deepseek",
    entry: ProviderEntry.parse({
      api: "openai",
      base_url: "https://api.deepseek.com/v1",
      credential: "deepseek",
    }),
    aliases: { planner: "deepseek-flash", fast: "deepseek-flash", strong: "deepseek-flash" },
    models: {
      "deepseek-flash": model("deepseek", 1_000_000, 8_192, ["tool", "json_object", "text"]),
    },
  },
  {
    name: "anthropic",
    entry: ProviderEntry.parse({ api: "anthropic", credential: "anthropic" }),
    aliases: {
      planner: "claude-sonnet-5-5",
      fast: "claude-haiku-5-5",
      strong: "claude-opus-5-5",
    },
    models: {},
  },
  {
    name: "openai",
    entry: ProviderEntry.parse({ api: "openai", credential: "openai" }),
    aliases: { planner: "gpt-5.4", fast: "gpt-5.4-mini", strong: "gpt-5.4" },
    models: {},
  },
];

/** Where an API lives whose entry names no base_url. */
export const DEFAULT_BASE_URL = {
  openai: "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com",
} as const;

/** Hosts of Chat Completions that know the switch `thinking: {type: disabled}`: their planner calls never think. */
export const KNOWS_THINKING_SWITCH: readonly string[] = ["api.deepseek.com"];

/** The aliases that roles and the planner use; each always leads to some model. */
export const STANDARD_ALIASES: readonly string[] = ["planner", "fast", "strong"];

/** What an alias leads to where providers.yaml says nothing of it. */
export const ALIAS_FALLBACKS: Readonly<Record<string, string>> = { summarizer: "fast" };

function model(
  provider: string,
  context: number,
  maxOutput: number,
  structured: ModelEntry["structured"],
): ModelEntry {
  return ModelEntry.parse({ provider, context, max_output: maxOutput, structured });
}
