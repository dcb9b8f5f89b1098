/**
 * What a program needs to run at all inside a private root that holds nothing but what is named. Data: no profile grants a file of
 * the user's, a host, or a right; the tokens do.
 */
export interface Profile {
  /**
   * Directories that it needs read-only where they exist: absolute, with `{prefix}` for the directory above its `bin`, or with
   * `{name}` for its resolved file name (`python3.11`). Programs in `exec_trees` may be executed.
   */
  readonly trees: readonly string[];
  readonly exec_trees: readonly string[];
  /** Programs that it starts itself, where they are installed, with what they need. */
  readonly companions: readonly string[];
  /** Starts programs by name on the user's behalf: those that the agent's `exec` tokens name without limit are there too. */
  readonly runs_granted: boolean;
  /** Runs what it has built or fetched: the write grant around its working directory, HOME and /tmp are executable. */
  readonly builds: boolean;
  /** Writes into repositories: of a `.git` only what turns into execution is read-only, not the whole. */
  readonly writes_git: boolean;
  /** How many times execve may succeed, the launch included: 1 is "once"; null is without limit. */
  readonly exec_limit: number | null;
  readonly proc: "pid" | "none";
  readonly limits: "small" | "build";
  /** Further empty directories of its own, in memory. */
  readonly scratch: readonly string[];
  /** `{home}` and `{tmp}` are replaced. Wins over the environment of the call. */
  readonly env: Readonly<Record<string, string>>;
  /** Added where the network is withheld. */
  readonly offline_env: Readonly<Record<string, string>>;
}

/** A program that nothing is known of: it runs once, alone, with its libraries and its grants. */
export const PLAIN: Profile = {
  trees: [],
  exec_trees: [],
  companions: [],
  runs_granted: false,
  builds: false,
  writes_git: false,
  exec_limit: 1,
  proc: "pid",
  limits: "small",
  scratch: [],
  env: {},
  offline_env: {},
};
