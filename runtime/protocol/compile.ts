import type { Denial } from "./access.js";
import type { ConfinementPlan, SeccompArch } from "./confinement.js";

/**
 * What `policy/compile.ts` takes and gives. Three steps: `factsWanted(request)` names what must be known of the host,
 * `sandbox/host-facts.ts` looks it up, `compile(request, facts)` makes the plan. The first and the last are pure.
 */

/** Which confined process, and what for. The agent's capabilities and the operator's ceiling come beside it. */
export type CompileRequest = FilesRequest | ProgramRequest | WebRequest | ModelRequest;

/** The warm file worker of one agent (`aaos-files`); the plan's argv holds its grant table. */
export interface FilesRequest {
  readonly kind: "files";
  /** Path of `aaos-files`, a static program. */
  readonly worker: string;
  /** The leaf's name; `GROUP/NAME` where it is one of an agent's, which share the limits of their group. */
  readonly cgroup_name: string;
}

/** One program call. */
export interface ProgramRequest {
  readonly kind: "program";
  /**
   * The access that was granted for it; decides which tokens the sandbox gets. `exec`: all of the agent's. `file_read` (a
   * search): the read grants, no writing, no network. `git_commit`: its directory and nothing else. `cargo_run`: its directory,
   * and the network grants.
   */
  readonly purpose:
    | { readonly kind: "exec" }
    | { readonly kind: "file_read" }
    | { readonly kind: "git_commit"; readonly dir: string }
    | { readonly kind: "cargo_run"; readonly dir: string };
  /** A plain name, looked up in the facts; never a path. */
  readonly program: string;
  /** Without argv[0]. */
  readonly args: readonly string[];
  /** Absolute and resolved; must lie within what the process may read, or be `/`. */
  readonly cwd: string;
  /** Beside the profile's own; a name that could load code into a process (`LD_PRELOAD`, `NODE_OPTIONS`, …) is left out. */
  readonly env: Readonly<Record<string, string>>;
  /** False withholds the network from this call, whatever the tokens say. */
  readonly network: boolean;
  /** HOME, a directory of this agent alone, which must exist; null gives an empty one that is gone after the call. */
  readonly home: string | null;
  readonly cgroup_name: string;
}

/** The web worker: Node with our own script, and the egress proxy as its only way out. */
export interface WebRequest {
  readonly kind: "web";
  /** The script, and the trees and files that it needs beside itself, read-only. */
  readonly script: string;
  readonly args: readonly string[];
  readonly trees: readonly string[];
  readonly cgroup_name: string;
}

/** Node with our own script and a model's files, read-only, and nothing else: no file of anybody's, no network, no agent. */
export interface ModelRequest extends Omit<WebRequest, "kind"> {
  readonly kind: "model";
}

/** What must be looked up on the host before a request can be compiled. */
export interface FactsWanted {
  readonly programs: readonly ProgramWanted[];
  /** Paths to look at: granted trees and files, refused places, HOME, system files. */
  readonly paths: readonly string[];
  /** Write grants below which protected entries must be found. */
  readonly scan: readonly string[];
}

export interface ProgramWanted {
  readonly name: string;
  /**
   * Directories it needs read-only where they exist: absolute, or with `{prefix}` for the directory above its own `bin`, or with
   * `{name}` for its resolved file name (`python3.11`).
   */
  readonly trees: readonly string[];
  /** Like `trees`, and programs in them may be executed. */
  readonly exec_trees: readonly string[];
}

/** A symbolic link of the host that is rebuilt in the private root: `path` is free of other links, `target` is as stored. */
export interface LinkFact {
  readonly path: string;
  readonly target: string;
}

/** A program as it is installed. All paths but those of `links` and `found` are resolved. */
export interface ProgramFacts {
  readonly name: string;
  /** As found in PATH, links not followed: argv[0]. */
  readonly found: string;
  /** What the kernel executes: the program, or the interpreter of a script. */
  readonly executable: string;
  /** Between argv[0] and the arguments: of a script, its interpreter's options and its own path. */
  readonly prefix_args: readonly string[];
  /** Everything that may be executed on its behalf: itself, and the dynamic loader. */
  readonly exec_files: readonly string[];
  /** Shared libraries, and the script itself. */
  readonly read_files: readonly string[];
  readonly trees: readonly string[];
  readonly exec_trees: readonly string[];
  readonly links: readonly LinkFact[];
}

export interface PathFact {
  /** Resolved; equal to the key unless a link stands on the way. */
  readonly resolved: string;
  /** What stands at `resolved`. */
  readonly kind: "file" | "dir" | "other" | "absent";
  /** Of an absent path: the nearest ancestor that exists, resolved, always a directory. Else null. */
  readonly nearest: string | null;
}

/** What a scan below a write grant found. */
export interface ScanFact {
  /** Protected entries that exist, files and directories, outermost ones only. A link has no mount of its own and is left out. */
  readonly protected: readonly string[];
  /** Which of them are the inside of a git repository, and what of it turns into execution or leads elsewhere. */
  readonly git_dirs: readonly { readonly path: string; readonly internals: readonly string[] }[];
  /** False where the bounds of the scan were reached: what is protected is then not fully known. */
  readonly complete: boolean;
}

/** The host, as data. Nothing here is secret, nothing is decided by it alone: what changed meanwhile fails the launch. */
export interface HostFacts {
  readonly landlock_abi: number;
  readonly arch: SeccompArch;
  /** Where a leaf may be made and which controllers it will have; null where no cgroup is delegated. */
  readonly cgroup: {
    readonly parent: string;
    readonly controllers: readonly ("memory" | "pids" | "cpu" | "io")[];
  } | null;
  readonly programs: ReadonlyMap<string, ProgramFacts>;
  readonly paths: ReadonlyMap<string, PathFact>;
  readonly scans: ReadonlyMap<string, ScanFact>;
  /** `/bin`, `/lib`, … where they are links. */
  readonly root_links: readonly LinkFact[];
}

/**
 * How a capability is held. `exact`: the kernel gives precisely what it says. `tree`: the kernel's unit is wider (a directory
 * for a pattern), the check above holds the rest. `check`: no kernel object stands for it, the check above or the egress proxy
 * holds it alone. `absent`: nothing stands there now, so this process gets nothing of it.
 */
export type Strength = "exact" | "tree" | "check" | "absent";

export interface KernelStrength {
  /** In the written form. */
  readonly capability: string;
  readonly holds: Strength;
  /** One sentence without a full stop; empty where there is nothing to add. */
  readonly note: string;
}

export type Compiled =
  | {
      readonly ok: true;
      readonly plan: ConfinementPlan;
      readonly kernel_strength: readonly KernelStrength[];
      /** What holds for the process as a whole, for `explain` and the audit trail. */
      readonly notes: readonly string[];
      /**
       * Paths that the plan took as they stood: roots of grants, single files (bound by inode), and absent ones. A warm process
       * whose path here has become another inode, or has appeared, must be launched anew under a new plan.
       */
      readonly depends_on: readonly string[];
      /**
       * Directories of write grants that do not exist yet and are missing from the plan. The caller may make them
       * (`sandbox/make-granted-dir.ts`), look the facts up again and compile again.
       */
      readonly make_dirs: readonly string[];
      /**
       * Write grants to scan again once the process has ended: a protected entry that is there now and was not before was made
       * by it, which no kernel rule could forbid by name.
       */
      readonly rescan: readonly string[];
    }
  /** `denial`: a grant is missing. `problem`: the grant cannot be enforced here, so nothing runs; `absent`: what is to run is not there. */
  | { readonly ok: false; readonly denial: Denial }
  | { readonly ok: false; readonly problem: string; readonly absent?: true };
