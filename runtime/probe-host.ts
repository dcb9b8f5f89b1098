import { readProviders, readSettings } from "./catalog/settings.js";
import { landlockAbiOf, proveConfinement, startLauncher } from "./confinement.js";
import { type CredentialSources, readCredential } from "./credentials.js";
import { diagnose } from "./doctor.js";
import { networkOf } from "./network-of.js";
import type { DoctorCheck } from "./protocol/control-results.js";
import type { Places } from "./protocol/places.js";
import { PolicyFile } from "./protocol/policy-file.js";
import { ProvidersFile } from "./protocol/providers-file.js";
import { Settings } from "./protocol/settings.js";

interface HostProbe extends Pick<CredentialSources, "keys"> {
  readonly places: Places;
  readonly nativeDir: string;
  readonly path: string;
}

/**
 * The daemon's part of `agentd doctor`, by this very process, for where no daemon answers: a launch in every layer, the keys, the
 * providers. Files that are broken count as absent; their own lines say what is wrong with them.
 */
export async function probeHost(
  { places, nativeDir, path, keys }: HostProbe,
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  const launcher = startLauncher(nativeDir);
  try {
    const settings = readOr(() => readSettings(places.settingsFile), Settings.parse({}));
    const confinement = await proveConfinement({
      ...{ launcher, nativeDir, places, path },
      policy: PolicyFile.parse({}),
    });
    const machine = await diagnose(
      {
        ...{ places, path },
        landlockAbi: landlockAbiOf(launcher),
        providersFile: readOr(() => readProviders(places.providersFile), ProvidersFile.parse({})),
        credential: (name) =>
          readCredential(name, {
            credentialsDirectory: undefined,
            credentialsDir: places.credentialsDir,
            keys,
          }),
        network: readOr(() => networkOf({ settings }), {}),
      },
      signal,
    );
    return [...machine, ...confinement];
  } finally {
    if (launcher.ok) await launcher.spawner.close();
  }
}

function readOr<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
