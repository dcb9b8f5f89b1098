import { statSync } from "node:fs";
import { errnoOf } from "../../base/error-text.js";
import { editYaml, type YamlChange } from "../../catalog/edit-yaml.js";
import { formatField } from "../../catalog/file-problem.js";
import { parseYaml } from "../../catalog/parse-file.js";
import { readText } from "../../catalog/read-text.js";
import { readProviders } from "../../catalog/settings.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { Places } from "../../protocol/places.js";
import { ProvidersFile } from "../../protocol/providers-file.js";
import type { ConfiguredProvider, ProviderSelection } from "../../protocol/system-verbs.js";
import type { VerbContext } from "../verb.js";
import { setCredential } from "../verbs/set-credential.js";
import { writeFileWhole } from "../write-file.js";
import { type ProviderChoice, providerChanges } from "./provider-changes.js";

/**
 * providers.yaml as it would be after the choice. Throws `invalid_file` for a broken file and for a choice that would break it,
 * `usage` for an unknown provider.
 */
export function candidateFile(places: Places, choice: ProviderChoice): ProvidersFile {
  const file = places.providersFile;
  const parsed = parseYaml(ProvidersFile, editedText(file, planned(places, choice)), file);
  if (parsed.ok) return parsed.value;
  const { message, field } = parsed.problems[0] ?? { message: "is no valid choice", field: "" };
  throw new AgentdError("usage", "choose provider", `${field}: ${message}`);
}

function planned(places: Places, choice: ProviderChoice): readonly YamlChange[] {
  const changes = providerChanges(readProviders(places.providersFile), choice);
  if (changes.ok) return changes.changes;
  throw new AgentdError("usage", "choose provider", changes.problem, { hint: changes.hint });
}

/**
 * Keeps the key and makes the provider the default; nothing else changes. The key first: a default without its key would be
 * worse than a key that nobody uses yet.
 */
export async function applyProvider(
  places: Places,
  { key, ...choice }: ProviderSelection,
  context: VerbContext,
): Promise<Omit<ConfiguredProvider, "daemon">> {
  const { provider } = choice;
  const file = places.providersFile;
  const whole = { ...choice, has_key: key !== undefined };
  candidateFile(places, whole);
  const changes = planned(places, whole);
  try {
    const name = credentialOf(places, provider);
    const credential = key === undefined ? null : await keep(name, key, context);
    if (changes.length > 0) writeFileWhole(file, editedText(file, changes), { mode: modeOf(file) });
    return { provider, credential, file, changed: changes.map(({ path }) => formatField(path)) };
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno !== "EACCES" && errno !== "EPERM" && errno !== "EROFS") throw thrown;
    throw new AgentdError("not_permitted", "configure", `may not write below ${places.configDir}`, {
      hint: "Run it as root, or as a member of group aaos-admin.",
      cause: thrown,
    });
  }
}

async function keep(name: string, secret: string, context: VerbContext) {
  const { file, encrypted } = await setCredential({ name, secret }, context);
  return { name, file: context.machine.at(file), encrypted };
}

/** The name under which a provider's key is kept: what its entry says, or its own. */
export function credentialOf(places: Places, provider: string): string {
  const entry = readProviders(places.providersFile).providers[provider];
  const named = entry !== undefined && "credential" in entry ? entry.credential : undefined;
  return named ?? provider;
}

function editedText(file: string, changes: readonly YamlChange[]): string {
  const read = readText(file);
  return editYaml(read.ok ? read.text : "", changes);
}

/** The operator's own mode is kept; a new file may be read by everybody, for it holds no secret. */
function modeOf(file: string): number {
  return (statSync(file, { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;
}
