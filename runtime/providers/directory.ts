import { defaultProviderOf, modelOf, withWellKnown } from "../protocol/effective-providers.js";
import { DEFAULT_BASE_URL, KNOWS_THINKING_SWITCH } from "../protocol/known-providers.js";
import {
  type ModelEvent,
  type ModelRequest,
  type ModelStream,
  NO_USAGE,
  type ProviderFailure,
  type StructuredMode,
} from "../protocol/model.js";
import { ModelEntry, type ProviderEntry, type ProvidersFile } from "../protocol/providers-file.js";
import { anthropicStream } from "./anthropic.js";
import type { Connection } from "./attempt.js";
import { builtinStream } from "./builtin.js";
import type { ModelDirectory, ResolvedModel } from "./models.js";
import { type NetworkOptions, providerFetch } from "./network.js";
import { openaiStream } from "./openai.js";
import type { RetryPolicy } from "./retry.js";

export interface DirectoryOptions extends NetworkOptions {
  readonly file: ProvidersFile;
  /** Calls at the same time where a provider's entry says nothing. */
  readonly defaultSlots: number;
  /** The secret of this name, wherever it is kept; undefined where there is none. */
  readonly credential: (name: string) => string | undefined;
  readonly sleep: RetryPolicy["sleep"];
  readonly random: () => number;
  readonly now: () => number;
}

const BUILTIN = "builtin";
const BUILTIN_SLOTS = 1_000;
const BUILTIN_LIMIT = 1_000_000;

/**
 * The models that providers.yaml and the credentials give. Nothing is called here and nothing fails: a provider that cannot be used
 * yields streams that say why. The default provider without its key is the builtin one.
 */
export function openModels(options: DirectoryOptions): ModelDirectory {
  const has = (name: string) => (options.credential(name) ?? "") !== "";
  const file = withWellKnown(options.file, has);
  const network = providerFetch(options);
  const defaultProvider = defaultProviderOf(file, has);
  const known = new Map<string, ResolvedModel>();
  const open = (aliasOrId: string): ResolvedModel => {
    const model = modelOf(aliasOrId, file, defaultProvider);
    const entry = file.models[model];
    const provider = providerOf(model, entry?.provider, file, defaultProvider);
    if (provider === BUILTIN) return builtinModel();
    const settings = entry ?? ModelEntry.parse({ provider });
    return remoteModel(provider, model, settings, file.providers[provider], network, options);
  };
  return {
    default_provider: defaultProvider,
    resolve: (aliasOrId) => {
      const resolved = known.get(aliasOrId) ?? open(aliasOrId);
      known.set(aliasOrId, resolved);
      return resolved;
    },
  };
}

function providerOf(
  model: string,
  named: string | undefined,
  file: ProvidersFile,
  defaultProvider: string,
): string {
  if (model === BUILTIN) return BUILTIN;
  const provider = named ?? defaultProvider;
  // What belongs to the default provider goes where the default goes: to the builtin one while its key is missing.
  return provider === file.default ? defaultProvider : provider;
}

function builtinModel(): ResolvedModel {
  return {
    provider: BUILTIN,
    model: BUILTIN,
    context_tokens: BUILTIN_LIMIT,
    max_output_tokens: BUILTIN_LIMIT,
    structured: ["text"],
    slots: BUILTIN_SLOTS,
    price: null,
    stream: builtinStream(),
  };
}

function remoteModel(
  provider: string,
  model: string,
  settings: ModelEntry,
  entry: ProviderEntry | undefined,
  network: typeof fetch,
  options: DirectoryOptions,
): ResolvedModel {
  if (entry?.api === "builtin") return { ...builtinModel(), provider };
  const refused = new Set<StructuredMode>();
  const stream =
    entry === undefined
      ? failing({
          kind: "unknown_model",
          message: `model "${model}" names the provider "${provider}", which providers.yaml does not define; add it there`,
        })
      : remoteStream(provider, settings, entry, network, options);
  return {
    provider,
    model,
    context_tokens: settings.context,
    max_output_tokens: settings.max_output,
    // Read anew each time: what the server has once refused is not asked for again.
    get structured() {
      const left = settings.structured.filter((mode) => !refused.has(mode));
      return left.length > 0 ? left : (["text"] as const);
    },
    slots: entry?.slots ?? options.defaultSlots,
    price: settings.usd_per_mtok,
    stream: remembering(stream, refused),
  };
}

function remoteStream(
  provider: string,
  settings: ModelEntry,
  entry: Exclude<ProviderEntry, { api: "builtin" }>,
  network: typeof fetch,
  options: DirectoryOptions,
): ModelStream {
  const key = entry.credential === undefined ? undefined : options.credential(entry.credential);
  if (entry.credential !== undefined && (key ?? "") === "")
    return failing({
      kind: "auth",
      message: `${provider}: there is no credential "${entry.credential}"; set it with \`agentd configure\``,
    });
  const baseUrl = entry.base_url ?? DEFAULT_BASE_URL[entry.api];
  const connection: Connection = {
    provider,
    base_url: baseUrl,
    ...(key === undefined ? {} : { key }),
    timeout_ms: entry.timeout_s * 1_000,
    fetch: network,
    now: options.now,
  };
  const retry = { max_retries: entry.max_retries, sleep: options.sleep, random: options.random };
  const shared = { connection, retry, price: settings.usd_per_mtok };
  const thinkingOff = thinkingSwitch(settings, entry.api, baseUrl);
  return entry.api === "openai"
    ? openaiStream({ ...shared, thinkingOff })
    : anthropicStream({ ...shared, thinkingOff });
}

/** Planner calls never think where the API can be told. */
function thinkingSwitch(
  settings: ModelEntry,
  api: "openai" | "anthropic",
  baseUrl: string,
): (request: ModelRequest) => boolean {
  if (settings.thinking === "disabled") return () => true;
  if (api !== "openai" || !KNOWS_THINKING_SWITCH.includes(new URL(baseUrl).host))
    return () => false;
  return (request) => request.structured !== undefined || isPlanning(request);
}

function isPlanning(request: ModelRequest): boolean {
  return request.task?.kind === "plan" || request.task?.kind === "classify";
}

function remembering(stream: ModelStream, refused: Set<StructuredMode>): ModelStream {
  return async function* remember(request, signal) {
    for await (const event of stream(request, signal)) {
      const isRefusal = event.type === "failed" && event.failure.kind === "unsupported";
      if (isRefusal && request.structured !== undefined) refused.add(request.structured.by);
      yield event;
    }
  };
}

function failing(failure: ProviderFailure): ModelStream {
  return async function* fail(): AsyncGenerator<ModelEvent> {
    await Promise.resolve();
    yield { type: "failed", failure, usage: NO_USAGE };
  };
}
