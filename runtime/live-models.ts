import { setTimeout as sleep } from "node:timers/promises";
import type { Configuration } from "./configuration.js";
import { derived } from "./live-configuration.js";
import { networkOf } from "./network-of.js";
import { openModels } from "./providers/directory.js";
import type { ModelDirectory } from "./providers/models.js";

/** The models of providers.yaml as it was read last. */
export function modelsOf(config: Configuration): ModelDirectory {
  const models = derived(
    () => config.providersFile,
    (file) =>
      openModels({
        file,
        defaultSlots: config.settings.model_slots,
        credential: config.credential,
        sleep: (ms, signal) => sleep(ms, undefined, { signal }),
        random: Math.random,
        now: Date.now,
        ...networkOf(config),
      }),
  );
  return {
    get default_provider() {
      return models().default_provider;
    },
    resolve: (aliasOrId) => models().resolve(aliasOrId),
  };
}
