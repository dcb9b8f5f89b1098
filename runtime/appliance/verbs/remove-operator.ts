import { changeAccounts } from "../change-accounts.js";
import type { Verb } from "../verb.js";

/** Sessions that are open keep the group until they end. */
export const removeOperator: Verb<"remove-operator"> = async (
  { user, group },
  { machine, signal },
) => {
  await changeAccounts(machine, "gpasswd", ["--delete", user, group], { signal });
  return {};
};
