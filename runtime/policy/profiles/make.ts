import { PLAIN, type Profile } from "./profile.js";
import { SHELL_AND_TOOLS, TOOLCHAIN, TOOLCHAIN_TREES } from "./shell.js";

/** Recipes are shell: the shell, the core tools, the C toolchain, and whatever else the agent may run by name. */
export const make: Profile = {
  ...PLAIN,
  ...TOOLCHAIN_TREES,
  companions: [...SHELL_AND_TOOLS, ...TOOLCHAIN],
  runs_granted: true,
  builds: true,
  exec_limit: null,
  limits: "build",
};
