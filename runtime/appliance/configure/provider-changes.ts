import type { YamlChange } from "../../catalog/edit-yaml.js";
import { modelOf, withWellKnown } from "../../protocol/effective-providers.js";
import type { Json } from "../../protocol/json.js";
import { STANDARD_ALIASES, WELL_KNOWN } from "../../protocol/known-providers.js";
import type { ProviderEntry, ProvidersFile } from "../../protocol/providers-file.js";

/** What an operator chose: a provider by its name in providers.yaml, and, where it is none that is known, how to reach it. */
export interface ProviderChoice {
  readonly provider: string;
  readonly api?: "openai" | "anthropic" | undefined;
  readonly base_url?: string | undefined;
  /** A model id for all three aliases. */
  readonly model?: string | undefined;
  /** Whether it gets a key; a server of one's own may need none. */
  readonly has_key: boolean;
}

export type ProviderChanges =
  | { readonly ok: true; readonly changes: readonly YamlChange[] }
  | { readonly ok: false; readonly problem: string; readonly hint: string };

/**
 * The fewest changes to providers.yaml after which goals are carried out by the choice: the default; its entry, where there is none
 * or another address was chosen; an alias, where it would lead to another provider or another model was chosen. Pure.
 */
export function providerChanges(file: ProvidersFile, choice: ProviderChoice): ProviderChanges {
  const { provider, model } = choice;
  const wellKnown = WELL_KNOWN.find(({ name }) => name === provider);
  const entry = file.providers[provider] ?? wellKnown?.entry;
  if (entry === undefined && choice.base_url === undefined && provider !== "builtin") {
    return {
      ok: false,
      problem: `'${provider}' is not in providers.yaml and none that is known`,
      hint: `Give --base-url URL (and --api anthropic, if it speaks Messages), or one of ${WELL_KNOWN.map(({ name }) => name).join(", ")}.`,
    };
  }
  const changes: YamlChange[] = [];
  if (file.default !== provider) changes.push({ path: ["default"], value: provider });
  changes.push(...entryChanges(file, choice, entry));
  const after = merged(file, choice, entry);
  const models = Object.entries(after.models).filter(([, each]) => each.provider === provider);
  for (const alias of STANDARD_ALIASES) {
    const leads = modelOf(alias, after, provider);
    const wanted = model ?? wellKnown?.aliases[alias] ?? models[0]?.[0];
    const home = after.models[leads]?.provider ?? provider;
    const isRight = model === undefined ? home === provider && leads !== alias : leads === model;
    if (!isRight && wanted !== undefined) changes.push({ path: ["aliases", alias], value: wanted });
  }
  if (model !== undefined && after.models[model] === undefined)
    changes.push({ path: ["models", model], value: { provider } });
  return { ok: true, changes };
}

function entryChanges(
  file: ProvidersFile,
  { provider, api, base_url, has_key }: ProviderChoice,
  entry: ProviderEntry | undefined,
): readonly YamlChange[] {
  const held = file.providers[provider];
  if (held === undefined) {
    // Without entries of the operator's the well-known ones are there by themselves.
    const isThere = Object.keys(file.providers).length === 0 && base_url === undefined;
    return isThere || provider === "builtin"
      ? []
      : [
          {
            path: ["providers", provider],
            value: newEntry(entry, { api, base_url, has_key, provider }),
          },
        ];
  }
  const changes: YamlChange[] = [];
  if (held.api === "builtin") return changes;
  if (base_url !== undefined && base_url !== held.base_url)
    changes.push({ path: ["providers", provider, "base_url"], value: base_url });
  if (api !== undefined && api !== held.api)
    changes.push({ path: ["providers", provider, "api"], value: api });
  if (has_key && held.credential === undefined)
    changes.push({ path: ["providers", provider, "credential"], value: provider });
  return changes;
}

function newEntry(
  entry: ProviderEntry | undefined,
  { api, base_url, has_key, provider }: ProviderChoice,
): Json {
  const known = entry === undefined || entry.api === "builtin" ? undefined : entry;
  const url = base_url ?? known?.base_url;
  return {
    api: api ?? known?.api ?? "openai",
    ...(url === undefined ? {} : { base_url: url }),
    ...(has_key ? { credential: provider } : {}),
  };
}

/** The file as the daemon would have it after the choice, well-known providers included, for the question where aliases lead. */
function merged(
  file: ProvidersFile,
  { provider }: ProviderChoice,
  entry: ProviderEntry | undefined,
): ProvidersFile {
  const known = withWellKnown({ ...file, default: provider }, (name) => name === provider);
  return entry === undefined
    ? known
    : { ...known, providers: { ...known.providers, [provider]: entry } };
}
