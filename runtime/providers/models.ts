import type { ModelStream, StructuredMode } from "../protocol/model.js";
import type { Price } from "./cost.js";

/** A model ready to be called, with what providers.yaml knows of it. */
export interface ResolvedModel {
  /** The provider's name in providers.yaml, or `builtin`. */
  readonly provider: string;
  /** The model id sent to the API. */
  readonly model: string;
  readonly context_tokens: number;
  readonly max_output_tokens: number;
  readonly structured: readonly StructuredMode[];
  /** Calls at the same time that the provider takes. */
  readonly slots: number;
  /** Null for a model that uses no tokens and costs nothing. */
  readonly price: Price | null;
  readonly stream: ModelStream;
}

/** Aliases and ids to models. Anything unknown goes to the default provider as a model id. */
export interface ModelDirectory {
  /** `builtin` where no provider is configured or its key is missing. */
  readonly default_provider: string;
  readonly resolve: (aliasOrId: string) => ResolvedModel;
}
