import { isAbsolute } from "node:path";
import { compile } from "./policy/compile.js";
import { factsWanted } from "./policy/facts-wanted.js";
import { GIT_INTERNALS, isProtectedBelow } from "./policy/protected-paths.js";
import type { HostFacts } from "./protocol/compile.js";
import type { EngineDeps } from "./runs/deps.js";
import { createHostInspector } from "./sandbox/host-facts.js";
import { makeGrantedDir } from "./sandbox/make-granted-dir.js";

/** How much of a write grant is searched for what is protected in it, before every launch that gets it: a project with its modules. */
const SCAN = { maxEntries: 200_000, maxMs: 15_000 };
const REMEMBER_PROGRAMS_MS = 10_000;

/**
 * The compiler with this host's facts, looked up anew for every plan. Directories of write grants that do not exist yet are made,
 * beneath verified parents, so that the kernel has something to grant.
 */
export function compileOnHost(host: {
  readonly landlockAbi: number;
  /** Directories in which programs are looked up, as in PATH. */
  readonly path: string;
  readonly cgroup: HostFacts["cgroup"];
}): EngineDeps["compile"] {
  const inspector = createHostInspector({
    landlockAbi: host.landlockAbi,
    arch: process.arch === "arm64" ? "aarch64" : "x86_64",
    cgroup: host.cgroup,
    path: host.path.split(":").filter(isAbsolute),
    scan: { ...SCAN, isProtected: isProtectedBelow, gitInternals: GIT_INTERNALS },
    rememberProgramsMs: REMEMBER_PROGRAMS_MS,
  });
  return async (request, holder) => {
    const plan = async () => {
      const wanted = factsWanted(request, holder);
      const facts = await inspector.collect(wanted, new AbortController().signal);
      return compile(request, holder, facts);
    };
    const first = await plan();
    if (!first.ok || first.make_dirs.length === 0) return first;
    // What cannot be made is missing from the plan, as before: a write to it then says why.
    for (const dir of first.make_dirs) await makeGrantedDir(dir).catch(() => undefined);
    return plan();
  };
}
