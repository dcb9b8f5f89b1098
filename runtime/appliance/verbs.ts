import type { Verbs } from "./verb.js";
import { addOperator } from "./verbs/add-operator.js";
import { makeBackup, restoreBackup } from "./verbs/backup.js";
import { configureProvider } from "./verbs/configure-provider.js";
import { controlDaemon } from "./verbs/control-daemon.js";
import { removeCredential } from "./verbs/remove-credential.js";
import { removeOperator } from "./verbs/remove-operator.js";
import { setCredential } from "./verbs/set-credential.js";
import {
  factoryReset,
  installBundle,
  readChannel,
  restartMachine,
  rollback,
  slotsStatus,
} from "./verbs/slots.js";

/** All that root does for others, on one screen. */
export const VERBS: Verbs = {
  "set-credential": setCredential,
  "remove-credential": removeCredential,
  "configure-provider": configureProvider,
  "control-daemon": controlDaemon,
  "add-operator": addOperator,
  "remove-operator": removeOperator,
  "slots-status": slotsStatus,
  "install-bundle": installBundle,
  "read-channel": readChannel,
  rollback,
  "factory-reset": factoryReset,
  "make-backup": makeBackup,
  "restore-backup": restoreBackup,
  "restart-machine": restartMachine,
};
