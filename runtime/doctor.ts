import { machineChecks } from "./appliance/doctor/machine-checks.js";
import type { Configuration } from "./configuration.js";
import type { DoctorCheck } from "./protocol/control-results.js";
import { defaultProviderOf, withWellKnown } from "./protocol/effective-providers.js";
import { type NetworkOptions, providerFetch } from "./providers/network.js";

/** What `agentd doctor` looks at beside the operator's files; all of it as the one who looks has it. */
interface Patient extends Pick<Configuration, "places" | "providersFile" | "credential"> {
  readonly landlockAbi: number | null;
  readonly path: string;
  readonly network: NetworkOptions;
}

/** What works and what does not, each line with its remedy. Looks only; changes nothing. */
export function diagnose(patient: Patient, signal: AbortSignal): Promise<readonly DoctorCheck[]> {
  const { places, path, landlockAbi, credential, network } = patient;
  const has = (name: string): boolean => credential(name) !== undefined;
  const file = withWellKnown(patient.providersFile, has);
  return machineChecks(
    {
      ...{ places, path, landlockAbi, credential },
      providers: file.providers,
      defaultProvider: defaultProviderOf(file, has),
      fetch: providerFetch(network),
      now: Date.now(),
    },
    signal,
  );
}
