import { readFileSync } from "node:fs";
import { readSettings } from "./catalog/settings.js";
import type { Places } from "./protocol/places.js";
import { providerFetch } from "./providers/network.js";

/** A fetch as `proxy:` and `ca_files:` of agentd.yaml say. */
export function outbound(places: Places): typeof fetch {
  const { proxy, ca_files } = readSettings(places.settingsFile);
  const ca = ca_files.map((file) => readFileSync(file, "utf8"));
  return providerFetch({ ca, ...(proxy === undefined ? {} : { proxy }) });
}
