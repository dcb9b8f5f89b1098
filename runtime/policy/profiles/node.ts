import { PLAIN, type Profile } from "./profile.js";

/** Debian keeps some of Node's own modules outside of it. It may start itself (`child_process.fork`), and nothing else. */
export const node: Profile = {
  ...PLAIN,
  trees: ["/usr/share/nodejs", "/usr/share/node_modules", "/usr/lib/nodejs"],
  exec_limit: null,
  limits: "build",
  env: { NODE_REPL_HISTORY: "" },
};
