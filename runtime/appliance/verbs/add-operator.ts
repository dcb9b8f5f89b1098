import { changeAccounts } from "../change-accounts.js";
import type { Verb } from "../verb.js";

/** It counts from the user's next login. Adding somebody twice changes nothing. */
export const addOperator: Verb<"add-operator"> = async ({ user, group }, { machine, signal }) => {
  await changeAccounts(machine, "gpasswd", ["--add", user, group], { signal });
  return {};
};
