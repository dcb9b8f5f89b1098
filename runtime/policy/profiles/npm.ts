import { PLAIN, type Profile } from "./profile.js";
import { SHELL_AND_TOOLS } from "./shell.js";

/** Scripts of packages are shell and node; what they install they run. */
export const npm: Profile = {
  ...PLAIN,
  trees: ["/usr/lib/node_modules/npm", "/usr/share/nodejs", "/usr/share/node_modules"],
  companions: ["node", "npx", ...SHELL_AND_TOOLS],
  runs_granted: true,
  builds: true,
  exec_limit: null,
  limits: "build",
  env: {
    npm_config_cache: "{home}/.npm",
    npm_config_update_notifier: "false",
    npm_config_fund: "false",
    npm_config_audit: "false",
  },
  offline_env: { npm_config_offline: "true" },
};
