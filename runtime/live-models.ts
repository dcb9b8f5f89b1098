import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "./base/error-text.js";
import type { Configuration } from "./configuration.js";
import { derived } from "./live-configuration.js";
import { AgentdError } from "./protocol/agentd-error.js";
import { openModels } from "./providers/directory.js";
import type { ModelDirectory } from "./providers/models.js";
import type { NetworkOptions } from "./providers/network.js";

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

/** How the daemon itself reaches model APIs. Throws `invalid_file` for an authority's file that cannot be read. */
export function networkOf({ settings }: Pick<Configuration, "settings">): NetworkOptions {
  const { proxy, ca_files } = settings;
  const ca = ca_files.map(readAuthority);
  return { ...(proxy === undefined ? {} : { proxy }), ...(ca.length === 0 ? {} : { ca }) };
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const message = `agentd.yaml: ca_files: ${file} cannot be read: ${errorText(cause)}`;
    throw new AgentdError("invalid_file", "read certificates", message, { cause });
  }
}
