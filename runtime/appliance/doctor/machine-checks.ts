import type { DoctorCheck } from "../../protocol/control-results.js";
import type { Places } from "../../protocol/places.js";
import type { ProvidersFile } from "../../protocol/providers-file.js";
import { good, poor } from "./check.js";
import { clockCheck } from "./clock-check.js";
import { keyChecks } from "./credential-checks.js";
import { dataVolumeChecks, diskChecks } from "./disk-checks.js";
import { kernelChecks } from "./kernel-checks.js";
import { programChecks } from "./program-checks.js";
import { providerChecks, type ReachableProvider } from "./provider-checks.js";

/** What is known of the machine by the one who looks: the daemon, or without one the CLI itself. */
export interface MachineFacts {
  readonly places: Places;
  /** Directories in which programs are looked up, as in PATH. */
  readonly path: string;
  readonly landlockAbi: number | null;
  readonly providers: ProvidersFile["providers"];
  readonly defaultProvider: string;
  readonly credential: (name: string) => string | undefined;
  readonly fetch: typeof fetch;
  readonly now: number;
}

/** What works and what does not on this machine, for a daemon in the place of the one who asks. Looks only; changes nothing. */
export async function machineChecks(
  facts: MachineFacts,
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  const { places, providers, credential, defaultProvider } = facts;
  const withKey = reachable(facts);
  return [
    ...programChecks(facts.path),
    ...kernelChecks(facts.landlockAbi),
    await clockCheck(facts.now),
    ...dataVolumeChecks(places.root),
    ...diskChecks([places.stateDir, "/data", "/output"]),
    defaultCheck(defaultProvider),
    ...keyChecks(providers, (name) => credential(name) !== undefined),
    ...(await providerChecks(withKey, defaultProvider, facts.fetch, signal)),
  ];
}

function defaultCheck(defaultProvider: string): DoctorCheck {
  if (defaultProvider !== "builtin") return good("provider", `the default is ${defaultProvider}`);
  return poor(
    "provider",
    "no model is configured: the builtin rule-based provider carries goals out",
    "Run `agentd configure`.",
  );
}

/** Those that can be asked: one whose key is missing has its own line for that. */
function reachable({ providers, credential }: MachineFacts): readonly ReachableProvider[] {
  return Object.entries(providers).flatMap(([name, entry]) => {
    if (entry.api === "builtin") return [];
    const key = entry.credential === undefined ? undefined : credential(entry.credential);
    return entry.credential !== undefined && key === undefined ? [] : [{ name, entry, key }];
  });
}
