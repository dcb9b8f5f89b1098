import { existsSync } from "node:fs";
import { errorText } from "../../base/error-text.js";
import { places } from "../../protocol/places.js";
import type { ConfiguredProvider } from "../../protocol/system-verbs.js";
import { applyProvider } from "../configure/apply-provider.js";
import type { Verb, VerbContext } from "../verb.js";
import { controlDaemon } from "./control-daemon.js";

/** As `agentd configure` means it. The daemon gets new keys at its start only, because systemd hands them in; runs go on from their journal. */
export const configureProvider: Verb<"configure-provider"> = async (selection, context) => {
  const at = places({ root: context.machine.at("/") });
  const applied = await applyProvider(at, selection, context);
  return { ...applied, daemon: await tellDaemon(at.socketPath, context) };
};

async function tellDaemon(
  socketPath: string,
  context: VerbContext,
): Promise<ConfiguredProvider["daemon"]> {
  const { machine } = context;
  const isManaged = machine.has("systemctl") && existsSync(machine.at("/run/systemd/system"));
  if (!isManaged)
    return existsSync(socketPath)
      ? { state: "not_told", how: "Restart agentd: it reads its files at its start." }
      : { state: "no_daemon" };
  const unit = ["show", "agentd.service", "--property=LoadState", "--value"];
  if ((await machine.run("systemctl", unit)).stdout.trim() !== "loaded")
    return { state: "no_daemon" };
  try {
    await controlDaemon({ action: "restart" }, context);
    return { state: "restarted" };
  } catch (thrown) {
    return { state: "not_told", how: `${errorText(thrown)}: see \`journalctl -u agentd\`.` };
  }
}
