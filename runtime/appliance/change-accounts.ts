import { syncDirectory } from "../store/sync-directory.js";
import { type Machine, mustRun } from "./machine.js";

/**
 * Runs a program that changes accounts in `/etc` (gpasswd, chpasswd). They sync what they write, not the name they give it; once this
 * settles nobody whose right or password was taken away has it back after a power cut.
 */
export async function changeAccounts(
  machine: Machine,
  program: string,
  args: readonly string[],
  options: { readonly stdin?: string; readonly signal: AbortSignal },
): Promise<void> {
  await mustRun(machine, program, args, options);
  syncDirectory(machine.at("/etc"));
}
