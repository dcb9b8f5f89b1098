import { readFileSync } from "node:fs";
import { AgentdError } from "../../protocol/agentd-error.js";
import { newestRelease } from "../../protocol/channel.js";
import { factoryReset as resetNext } from "../boot/factory-reset.js";
import { rollBack } from "../boot/roll-back.js";
import { runningSlot, slotsStatus as statusOf, VERSION_FILE } from "../boot/slots-status.js";
import { mustRun } from "../machine.js";
import { withBundleFromUsb } from "../upgrade/bundle-from-usb.js";
import { copyDatabase } from "../upgrade/copy-database.js";
import { compatibleOf, failedBefore, installBundle as install } from "../upgrade/install-bundle.js";
import { readIndex } from "../upgrade/read-index.js";
import type { Verb } from "../verb.js";

export const slotsStatus: Verb<"slots-status"> = ({ verify }, { machine, signal }) =>
  statusOf(machine, verify, signal);

export const installBundle: Verb<"install-bundle"> = (params, context) => {
  const { machine, progress, signal } = context;
  const put = (file: string) =>
    install(machine, {
      file,
      allowDowngrade: params.allow_downgrade,
      automatic: params.automatic,
      progress,
      copyDatabase: (version) => copyDatabase(version),
      signal,
    });
  runningSlot(machine);
  if (params.usb !== null) return withBundleFromUsb(params.usb, params.file, context, put);
  if (params.file.startsWith("/")) return put(params.file);
  throw new AgentdError("invalid_request", "install-bundle", "file must be an absolute path");
};

/** What the channel has for this machine. It need not have slots: a live system may look, too. */
export const readChannel: Verb<"read-channel"> = async ({ channel, index }, { machine }) => {
  const found = await readIndex(machine, channel, Buffer.from(index, "base64"), new Date());
  const running = readFileSync(machine.at(VERSION_FILE), "utf8").trim();
  const compatible = compatibleOf(machine);
  const release = newestRelease(found, { compatible, version: running }) ?? null;
  const { serial, expires } = found;
  return { serial, expires, running, release, failed: failedBefore(machine, release?.version) };
};

export const rollback: Verb<"rollback"> = (_, { machine }) => rollBack(machine);

export const factoryReset: Verb<"factory-reset"> = async ({ keep_access }, { machine }) => {
  runningSlot(machine); // elsewhere nothing would carry it out
  resetNext(machine, keep_access);
  return {};
};

/** systemd's shutdown takes the time; running goals are taken up again when the machine is back. */
export const restartMachine: Verb<"restart-machine"> = async ({ at }, { machine }) => {
  await mustRun(machine, "shutdown", ["-r", at]);
  return {};
};
