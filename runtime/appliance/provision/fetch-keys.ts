import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { type ProvisionFile, ProvisionUser } from "../../protocol/provision-file.js";
import { readUrl } from "./read-url.js";

const MAX_BYTES = 65_536;

/** Each user's keys: those that are named, and those of the lists, one a line. A list that cannot be read, or holds none, throws. */
export async function fetchKeys(
  { users, network }: ProvisionFile,
  request: typeof fetch,
  signal: AbortSignal,
): Promise<readonly (readonly string[])[]> {
  const note =
    network === undefined ? "" : " (lists are read before the network of this file is set)";
  return Promise.all(
    users.map(async ({ ssh_keys, ssh_key_urls }) => {
      const lists = await Promise.all(
        ssh_key_urls.map((url) => keysAt(url, request, signal, note)),
      );
      return [...new Set([...ssh_keys, ...lists.flat()])];
    }),
  );
}

/** The keys of one list. Who may come in is decided by it: it is read over https alone. */
export async function keysAt(
  url: string,
  request: typeof fetch,
  signal: AbortSignal,
  note = "",
): Promise<readonly string[]> {
  if (!ProvisionUser.shape.ssh_key_urls.safeParse([url]).success)
    throw new AgentdError("usage", "read SSH keys", `${url}: must be an https URL`, {
      hint: "A list of keys that somebody on the way can change lets them in.",
    });
  try {
    const lines = (await readUrl(url, MAX_BYTES, request, signal))
      .split("\n")
      .map((line) => line.trim());
    const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
    const parsed = ProvisionUser.shape.ssh_keys.safeParse(keys);
    if (!parsed.success || parsed.data.length === 0)
      throw new Error("it holds no list of public keys");
    return parsed.data;
  } catch (cause) {
    throw new AgentdError("unavailable", "read SSH keys", `${url}: ${errorText(cause)}${note}`, {
      hint: "Name the keys themselves under ssh_keys, or mend the network and try again.",
      cause,
    });
  }
}
