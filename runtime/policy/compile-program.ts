import type { Compiled, HostFacts, ProgramFacts, ProgramRequest } from "../protocol/compile.js";
import { agentLimits } from "./agent-limits.js";
import { buildPlan } from "./build-plan.js";
import { compileGrants, factOf } from "./compile-grants.js";
import { programRights } from "./compile-landlock.js";
import { limitsOf } from "./compile-limits.js";
import { egressListeners, mayUseNetwork, proxyEnvironment } from "./compile-network.js";
import type { Piece } from "./compile-root.js";
import {
  caBundle,
  commonPieces,
  homePiece,
  programPieces,
  SCRATCH_HOME,
} from "./compile-system.js";
import { type Authority, programNames } from "./facts-wanted.js";
import { kernelStrength } from "./kernel-strength.js";
import type { LandlockAbi } from "./landlock-abi.js";
import { programDenial } from "./may-start.js";
import { isWithin, kernelUnits, pathGrants } from "./path-grants.js";
import type { Profile } from "./profiles/profile.js";
import { programEnvironment, tmpBeside } from "./program-environment.js";
import { profileOf } from "./program-profiles.js";

/** One program call: the program with what its profile names, the grants of its purpose, and empty places to work in. */
export function compileProgram(
  request: ProgramRequest,
  authority: Authority,
  facts: HostFacts,
  abi: LandlockAbi,
): Compiled {
  const { capabilities, ceiling } = authority;
  const denial = programDenial(request, authority);
  if (denial !== undefined) return { ok: false, denial };
  const main = facts.programs.get(request.program);
  if (main === undefined) {
    return { ok: false, problem: `the program ${request.program} is not installed`, absent: true };
  }
  const profile = profileOf(request.program);
  const wanted = pathGrants(capabilities, request);
  const units = kernelUnits(wanted, ceiling, false);
  const grants = compileGrants(units.units, units.holes, facts, {
    rights: programRights,
    buildDir: profile.builds ? request.cwd : null,
    writesGit: profile.writes_git,
    home: request.home,
    needsWholeScan: true,
  });
  const network = mayUseNetwork(capabilities, request);
  const places = workingPlaces(request, profile);
  const tmp = tmpBeside(grants.pieces.map(({ path }) => path));
  const problem = cwdProblem(request, facts, [...grants.pieces, ...places]);
  if (problem !== undefined) return problem;
  const programs = programNames(request, authority).flatMap((name) => {
    const found = facts.programs.get(name);
    return found === undefined ? [] : [found];
  });
  const parts = {
    kind: "program",
    cgroupName: request.cgroup_name,
    system: [
      ...programPieces(programs, facts.root_links),
      ...commonPieces({
        facts,
        network,
        proc: profile.proc !== "none",
        scratch: [tmp, ...profile.scratch, ...(request.home === null ? [SCRATCH_HOME] : [])],
        scratchBytes: limitsOf(profile.limits).tmp_bytes,
        executable: profile.builds,
      }),
      ...places,
    ],
    units,
    grants,
    limits: limitsOf(profile.limits),
    together: agentLimits(authority),
    listeners: egressListeners("program", network),
    dev: true,
    proc: profile.proc,
    execLimit: profile.exec_limit,
    executable: main.executable,
    argv: [main.found, ...main.prefix_args, ...request.args],
    env: programEnvironment(request, profile, {
      path: searchPath(programs),
      home: request.home ?? SCRATCH_HOME,
      tmp,
      proxy: network ? proxyEnvironment(caBundle(facts)) : null,
    }),
    cwd: request.cwd,
    umask: 0o007,
    strength: kernelStrength(capabilities, wanted, units, grants.standing, network),
  } as const;
  return buildPlan(parts, facts, abi);
}

function workingPlaces(request: ProgramRequest, profile: Profile): readonly Piece[] {
  return request.home === null ? [] : [homePiece(request.home, profile.builds)];
}

/** The directory must be one that the process has; otherwise the launch would fail at it with less to say. */
function cwdProblem(
  { cwd, purpose }: ProgramRequest,
  facts: HostFacts,
  pieces: readonly Piece[],
): Compiled | undefined {
  if (cwd === "/") return undefined;
  if (pieces.some(({ path, rights }) => rights.length > 0 && isWithin(cwd, path))) {
    const { kind, resolved } = factOf(facts.paths, cwd);
    if (kind === "dir" && resolved === cwd) return undefined;
    return { ok: false, problem: `the working directory ${cwd} is no directory`, absent: true };
  }
  const message = `the working directory ${cwd} is in no grant of this call (${purpose.kind})`;
  const capability = `file_read: ${cwd}/*`;
  return { ok: false, denial: { layer: "token", message, capability } };
}

/** Directories where the programs were found, the usual ones first. */
function searchPath(programs: readonly ProgramFacts[]): readonly string[] {
  const usual = ["/usr/local/bin", "/usr/bin", "/bin"];
  const found = programs.map(({ found: path }) => path.slice(0, path.lastIndexOf("/")));
  const others = [...new Set(found)].filter((dir) => !usual.includes(dir)).sort();
  return [...others, ...usual];
}
