import { setTimeout as sleep } from "node:timers/promises";
import { candidateFile, credentialOf } from "./appliance/configure/apply-provider.js";
import type { ProviderChoice } from "./appliance/configure/provider-changes.js";
import { readSettings } from "./catalog/settings.js";
import { networkOf } from "./network-of.js";
import type { Places } from "./protocol/places.js";
import type { ProvidersFile } from "./protocol/providers-file.js";
import { openModels } from "./providers/directory.js";

/** Whether a model answered. `message` says what is wrong and where, without the key. */
export type ProviderVerdict =
  | { readonly ok: true; readonly model: string }
  | { readonly ok: false; readonly message: string };

const TIMEOUT_S = 30;
const MAX_OUTPUT_TOKENS = 64;

/**
 * Asks the chosen provider's model for one word, by the very code that will carry goals out: address, key, model and credit are
 * right where it answers. A list of models would prove less, for some servers show it to everybody.
 */
export async function checkProvider(
  places: Places,
  choice: Omit<ProviderChoice, "has_key">,
  key: string | undefined,
  signal: AbortSignal,
): Promise<ProviderVerdict> {
  const file = hasty(candidateFile(places, { ...choice, has_key: key !== undefined }));
  const named = credentialOf(places, choice.provider);
  const settings = readSettings(places.settingsFile);
  const models = openModels({
    file,
    defaultSlots: 1,
    credential: (name) => (name === named ? key : undefined),
    sleep: (ms, until) => sleep(ms, undefined, { signal: until }),
    random: Math.random,
    now: Date.now,
    ...networkOf({ settings }),
  });
  const { model, provider, stream } = models.resolve("fast");
  if (provider !== choice.provider)
    return {
      ok: false,
      message: `'fast' leads to the provider ${provider}, not to ${choice.provider}`,
    };
  if (provider === "builtin") return { ok: true, model };
  const request = {
    model,
    messages: [{ role: "user" as const, text: "Reply with the word: ready" }],
    tools: [],
    max_output_tokens: MAX_OUTPUT_TOKENS,
  };
  for await (const event of stream(request, signal)) {
    if (event.type === "reply") return { ok: true, model };
    if (event.type === "failed") return { ok: false, message: event.failure.message };
  }
  return { ok: false, message: `${provider} gave no answer` };
}

/** The file with patience for one question, not for a night of work. */
function hasty(file: ProvidersFile): ProvidersFile {
  const providers = Object.entries(file.providers).map(([name, entry]) => [
    name,
    entry.api === "builtin" ? entry : { ...entry, max_retries: 1, timeout_s: TIMEOUT_S },
  ]);
  return { ...file, providers: Object.fromEntries(providers) as ProvidersFile["providers"] };
}
