import { factoryReset as resetNext } from "../boot/factory-reset.js";
import { rollBack } from "../boot/roll-back.js";
import { slotsStatus as statusOf } from "../boot/slots-status.js";
import { mustRun } from "../machine.js";
import { copyDatabase } from "../upgrade/copy-database.js";
import { installBundle as install } from "../upgrade/install-bundle.js";
import type { Verb } from "../verb.js";

export const slotsStatus: Verb<"slots-status"> = ({ verify }, { machine, signal }) =>
  statusOf(machine, verify, signal);

export const installBundle: Verb<"install-bundle"> = (params, { machine, progress, signal }) =>
  install(machine, {
    file: params.file,
    allowDowngrade: params.allow_downgrade,
    automatic: params.automatic,
    progress,
    copyDatabase,
    signal,
  });

export const rollback: Verb<"rollback"> = (_, { machine }) => rollBack(machine);

export const factoryReset: Verb<"factory-reset"> = async ({ keep_access }, { machine }) => {
  await resetNext(machine, keep_access);
  return {};
};

/** systemd's shutdown takes the time; running goals are taken up again when the machine is back. */
export const restartMachine: Verb<"restart-machine"> = async ({ at }, { machine }) => {
  await mustRun(machine, "shutdown", ["-r", at]);
  return {};
};
