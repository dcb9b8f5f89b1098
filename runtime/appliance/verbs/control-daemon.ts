import { AgentdError } from "../../protocol/agentd-error.js";
import type { Verb } from "../verb.js";

/** systemd waits until agentd has said that it is ready, or has failed. */
export const controlDaemon: Verb<"control-daemon"> = async ({ action }, { machine, signal }) => {
  const { status, stderr } = await machine.run("systemctl", [action, "agentd.service"], { signal });
  if (status === 0) return {};
  throw new AgentdError(
    "run_failed",
    `${action} agentd`,
    `agentd did not ${action}: ${stderr.trim()}`,
    {
      hint: "`journalctl -u agentd` says why, `agentd doctor` what to do.",
    },
  );
};
