import { readSettings } from "./catalog/settings.js";
import { networkOf } from "./network-of.js";
import type { Places } from "./protocol/places.js";
import { providerFetch } from "./providers/network.js";

/** A fetch as agentd.yaml says. Throws `invalid_file` for an authority's file that cannot be read. */
export function outbound(places: Places): typeof fetch {
  return providerFetch(networkOf({ settings: readSettings(places.settingsFile) }));
}
