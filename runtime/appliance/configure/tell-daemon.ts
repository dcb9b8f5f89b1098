import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { errorText } from "../../base/error-text.js";
import type { Places } from "../../protocol/places.js";

/** Whether the daemon goes by what was written: it does, there is none, or somebody must restart it and `how` says how. */
export type Told =
  | { readonly state: "restarted" }
  | { readonly state: "no_daemon" }
  | { readonly state: "not_told"; readonly how: string };

/**
 * The service takes new keys at its start only, because systemd hands them in: it is restarted, and runs go on from their journal. A
 * daemon below another root belongs to whoever started it.
 */
export async function tellDaemon({
  root,
  socketPath,
}: Pick<Places, "root" | "socketPath">): Promise<Told> {
  if (root !== "/" || !existsSync("/run/systemd/system"))
    return existsSync(socketPath)
      ? { state: "not_told", how: "Restart agentd: it reads its files at its start." }
      : { state: "no_daemon" };
  try {
    const { stdout } = await promisify(execFile)("systemctl", [
      "show",
      "agentd.service",
      "--property=LoadState",
      "--value",
    ]);
    if (stdout.trim() !== "loaded") return { state: "no_daemon" };
    await promisify(execFile)("systemctl", ["restart", "agentd.service"], { timeout: 120_000 });
    return { state: "restarted" };
  } catch (thrown) {
    const how = `Run \`systemctl restart agentd\`; it said: ${errorText(thrown).trim().split("\n").at(-1) ?? ""}`;
    return { state: "not_told", how };
  }
}
