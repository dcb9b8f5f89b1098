import { ALIAS_FALLBACKS, STANDARD_ALIASES, WELL_KNOWN } from "./known-providers.js";
import type { ProviderEntry, ProvidersFile } from "./providers-file.js";

/** Whether a secret of this name is there. */
export type HasCredential = (name: string) => boolean;

/** Without any provider of its own the file gets the well-known ones whose credential is there, the first as the default. Pure. */
export function withWellKnown(file: ProvidersFile, has: HasCredential): ProvidersFile {
  if (Object.keys(file.providers).length > 0) return file;
  const present = WELL_KNOWN.filter((provider) => hasKey(provider.entry, has));
  const first = present.find((provider) => provider.name === file.default) ?? present[0];
  if (first === undefined) return file;
  const models = present.flatMap((provider) => Object.entries(provider.models));
  return {
    default: file.default ?? first.name,
    providers: Object.fromEntries(present.map((provider) => [provider.name, provider.entry])),
    models: { ...Object.fromEntries(models), ...file.models },
    aliases: { ...first.aliases, ...file.aliases },
  };
}

/** The builtin provider stands in for a default that is absent or has no key; a default that nobody defines is said to be wrong. Pure. */
export function defaultProviderOf(file: ProvidersFile, has: HasCredential): string {
  const name = file.default;
  if (name === undefined) return "builtin";
  const entry = file.providers[name];
  if (entry === undefined)
    return WELL_KNOWN.some((provider) => provider.name === name) ? "builtin" : name;
  return hasKey(entry, has) ? name : "builtin";
}

/**
 * The model that an alias or id means. Follows aliases of aliases; a circle ends where it began. A standard alias that is not in the
 * file gets some model of the default provider. Pure.
 */
export function modelOf(aliasOrId: string, file: ProvidersFile, defaultProvider: string): string {
  const seen = new Set<string>();
  let id = aliasOrId;
  const aliases = { ...ALIAS_FALLBACKS, ...file.aliases };
  for (let next = aliases[id]; next !== undefined && !seen.has(id); next = aliases[id]) {
    seen.add(id);
    id = next;
  }
  if (!STANDARD_ALIASES.includes(id) || file.models[id] !== undefined) return id;
  const own = Object.entries(file.models).find(([, entry]) => entry.provider === defaultProvider);
  const wellKnown = WELL_KNOWN.find((provider) => provider.name === defaultProvider);
  return own?.[0] ?? wellKnown?.aliases[id] ?? id;
}

function hasKey(entry: ProviderEntry, has: HasCredential): boolean {
  return entry.api === "builtin" || entry.credential === undefined || has(entry.credential);
}
