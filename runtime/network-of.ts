import { readFileSync } from "node:fs";
import { errorText } from "./base/error-text.js";
import { AgentdError } from "./protocol/agentd-error.js";
import type { Settings } from "./protocol/settings.js";
import type { NetworkOptions } from "./providers/network.js";

/** How the program itself reaches out, as `proxy:` and `ca_files:` of agentd.yaml say. Throws `invalid_file` for an authority's file that cannot be read. */
export function networkOf({
  settings,
}: {
  readonly settings: Pick<Settings, "proxy" | "ca_files">;
}): NetworkOptions {
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
