import { PLAIN, type Profile } from "./profile.js";

/**
 * git and its own helpers; no shell, no ssh, no pager, no editor. The environment is fixed, so that neither the call nor a file of
 * HOME adds configuration; what a repository's own names (hooks, filters, fsmonitor) is not in the root and does not run.
 * `safe.directory` is `*` because the directories of grants belong to operators, not to the sandbox's only user.
 */
export const git: Profile = {
  ...PLAIN,
  trees: ["/usr/share/git-core/templates"],
  exec_trees: ["/usr/lib/git-core"],
  writes_git: true,
  exec_limit: null,
  env: {
    EMAIL: "agent@localhost",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_COUNT: "4",
    GIT_CONFIG_KEY_0: "safe.directory",
    GIT_CONFIG_VALUE_0: "*",
    GIT_CONFIG_KEY_1: "core.hooksPath",
    GIT_CONFIG_VALUE_1: "/dev/null",
    GIT_CONFIG_KEY_2: "core.fsmonitor",
    GIT_CONFIG_VALUE_2: "false",
    GIT_CONFIG_KEY_3: "gc.auto",
    GIT_CONFIG_VALUE_3: "0",
    GIT_EDITOR: ":",
    GIT_PAGER: "",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_ALLOW_PROTOCOL: "https:http:file",
  },
};
