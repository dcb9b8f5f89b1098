import { PLAIN, type Profile } from "./profile.js";
import { SHELL_AND_TOOLS, TOOLCHAIN, TOOLCHAIN_TREES } from "./shell.js";

/** Build scripts, macros and tests are programs that cargo builds and runs; linking needs the C toolchain. */
export const cargo: Profile = {
  ...PLAIN,
  trees: TOOLCHAIN_TREES.trees,
  // It brings its own linker along.
  exec_trees: [...TOOLCHAIN_TREES.exec_trees, "{prefix}/lib/rustlib"],
  companions: [
    "rustc",
    "rustdoc",
    "rustfmt",
    "cargo-fmt",
    "cargo-clippy",
    "clippy-driver",
    ...SHELL_AND_TOOLS,
    ...TOOLCHAIN,
  ],
  runs_granted: false,
  builds: true,
  exec_limit: null,
  limits: "build",
  env: { CARGO_HOME: "{home}/.cargo", CARGO_TERM_COLOR: "never" },
  offline_env: { CARGO_NET_OFFLINE: "true" },
};
