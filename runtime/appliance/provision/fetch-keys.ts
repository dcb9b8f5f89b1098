import { withinTime } from "../../base/duration.js";
import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { ProvisionUser } from "../../protocol/provision-file.js";

const MAX_CHARS = 65_536;
const TIMEOUT_MS = 20_000;

/** A user's keys: those that are named, and those of the lists, one a line. A list that cannot be read, or holds none, throws. */
export async function fetchKeys(
  user: ProvisionUser,
  request: typeof fetch,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lists = await Promise.all(user.ssh_key_urls.map((url) => keysAt(url, request, signal)));
  return [...new Set([...user.ssh_keys, ...lists.flat()])];
}

export async function keysAt(
  url: string,
  request: typeof fetch,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const text = await withinTime(TIMEOUT_MS, signal, async (until) => {
      const answer = await request(url, { signal: until, redirect: "error" });
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
      return answer.text();
    });
    const lines = text
      .slice(0, MAX_CHARS)
      .split("\n")
      .map((line) => line.trim());
    const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
    const parsed = ProvisionUser.shape.ssh_keys.safeParse(keys);
    if (!parsed.success || parsed.data.length === 0)
      throw new Error("it holds no list of public keys");
    return parsed.data;
  } catch (cause) {
    throw new AgentdError("unavailable", "read SSH keys", `${url}: ${errorText(cause)}`, {
      hint: "Name the keys themselves under ssh_keys, or mend the network and try again.",
      cause,
    });
  }
}
