import { withinTime } from "../../base/duration.js";
import { errnoOf, errorText } from "../../base/error-text.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import { DEFAULT_BASE_URL } from "../../protocol/known-providers.js";
import type { ProviderEntry } from "../../protocol/providers-file.js";
import { bad, good, poor } from "./check.js";

const TIMEOUT_MS = 8_000;

/** A provider that has an entry, and the key that would be sent. */
export interface ReachableProvider {
  readonly name: string;
  readonly entry: Exclude<ProviderEntry, { api: "builtin" }>;
  readonly key: string | undefined;
}

/**
 * Asks each provider for its list of models, which costs nothing. Whatever it answers, it is reachable; a refused key is told.
 * One that is not the default warns only.
 */
export function providerChecks(
  providers: readonly ReachableProvider[],
  defaultProvider: string,
  request: typeof fetch,
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  return Promise.all(
    providers.map((provider) =>
      reach(provider, provider.name === defaultProvider ? bad : poor, request, signal),
    ),
  );
}

async function reach(
  { name, entry, key }: ReachableProvider,
  worst: typeof bad,
  request: typeof fetch,
  signal: AbortSignal,
): Promise<DoctorCheck> {
  const line = `provider ${name}`;
  const base = (entry.base_url ?? DEFAULT_BASE_URL[entry.api]).replace(/\/+$/, "");
  const url = entry.api === "anthropic" ? `${base}/v1/models` : `${base}/models`;
  try {
    const headers = keyHeaders(entry.api, key);
    const { status, body } = await withinTime(TIMEOUT_MS, signal, (until) =>
      request(url, { headers, redirect: "manual", signal: until }),
    );
    await body?.cancel();
    if (status === 401 || status === 403) {
      const detail = `${base} answers ${status}: the key was refused`;
      return worst(line, detail, `Set it: agentd configure --provider ${name}.`);
    }
    if (status >= 500)
      return poor(line, `${base} answers ${status}`, "The provider has trouble; try again later.");
    return good(line, `${base} answers`);
  } catch (thrown) {
    const detail = `${base} cannot be reached (${reason(thrown)})`;
    return worst(
      line,
      detail,
      "Check the network, base_url of providers.yaml and proxy of agentd.yaml.",
    );
  }
}

function keyHeaders(api: ReachableProvider["entry"]["api"], key: string | undefined) {
  if (key === undefined) return {};
  if (api === "openai") return { authorization: `Bearer ${key}` };
  return { "x-api-key": key, "anthropic-version": "2023-06-01" };
}

function reason(thrown: unknown): string {
  if (thrown instanceof Error && thrown.name === "TimeoutError")
    return `no answer in ${TIMEOUT_MS / 1_000} s`;
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return errnoOf(cause) ?? errnoOf(thrown) ?? errorText(cause ?? thrown);
}
