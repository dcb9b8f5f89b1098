/** What the suite tries, as data. One attempt is one call of the probe (`native/test/probe*.c`), in a world made anew for it. */

export const GROUPS = ["filesystem", "kernel", "exec", "network", "process"] as const;
export type Group = (typeof GROUPS)[number];

/** What can be left out of a confinement, one at a time, to see what is left without it. */
export const LAYERS = [
  "root",
  "landlock",
  "seccomp",
  "net",
  "pid",
  "ipc",
  "cgroup",
  "caps",
  "rlimits",
  "noexec",
  "protect",
  "exec-limit",
] as const;
export type Layer = (typeof LAYERS)[number];

/**
 * The tokens of the agent that tries. `nothing`: may run the probe, no more. `work`: reads `{in}`, reads and writes `{out}`, writes
 * (without reading) `{box}`. `network`: `work`, and one granted host.
 */
export type TokenSet = "nothing" | "work" | "network";

/** Something of the host that not every host has; without it the attempt fails by this name, it is never left out. */
export type Need = "x86_64" | "landlock-net" | "landlock-scopes" | "cgroup";

export interface Attempt {
  /** As in the list of attempts that this suite began with; a letter where one line there is several here. Never reused. */
  readonly id: string;
  readonly title: string;
  readonly tokens: TokenSet;
  /** Verb and arguments of the probe; `{name}` stands for a place of the world (`world.ts`). */
  readonly attempt: readonly [verb: string, ...args: string[]];
  /** The exact answer under confinement: `ok`, the name of an errno, the name of a signal, `timeout`. */
  readonly expect: string;
  /**
   * The answer without any confinement, as an ordinary uid: `ok` if it is not given, so that an attempt that cannot work is
   * noticed. Another answer says that every ordinary uid is refused; several, that it depends on how the kernel was built or set.
   * Null: not tried, because it would hit the machine or leave it.
   */
  readonly bare?: string | readonly string[] | null;
  /**
   * Which layers refuse it: without one of them the answer is another. Empty: two layers give the same answer, or what is always on
   * does (user and uts namespace, no_new_privs, descriptors, environment, init).
   */
  readonly layers: readonly Layer[];
  /** Made in the fresh world before the attempt. */
  readonly setup?: readonly Setup[];
  /** The environment that the call asks for. */
  readonly env?: Readonly<Record<string, string>>;
  /** The answer is whether this path exists so long after the program's end: `ok` where it does, else `ENOENT`. */
  readonly marker?: { readonly path: string; readonly after_ms: number };
  readonly needs?: readonly Need[];
  /** It is granted, and must work: the twin of a denial. */
  readonly control?: true;
  /** It is allowed and stays so, for this reason. */
  readonly accepted?: string;
}

export type Setup =
  | { readonly make: "file"; readonly path: string; readonly content?: string }
  | { readonly make: "dir"; readonly path: string }
  | { readonly make: "symlink"; readonly path: string; readonly target: string }
  | { readonly make: "probe"; readonly path: string }
  | { readonly make: "program"; readonly path: string; readonly content: string };

export interface AttemptGroup {
  readonly group: Group;
  readonly attempts: readonly Attempt[];
}
