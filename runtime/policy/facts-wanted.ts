import type { Capability } from "../protocol/capability.js";
import type { CompileRequest, FactsWanted } from "../protocol/compile.js";
import type { Ceiling } from "./ceiling.js";
import { SYSTEM_PATHS } from "./compile-system.js";
import { kernelUnits, pathGrants } from "./path-grants.js";
import { profileOf, programsFor } from "./program-profiles.js";

/** An agent's authority: its live capabilities, under the operator's ceiling for its run. */
export interface Authority {
  readonly capabilities: readonly Capability[];
  readonly ceiling: Ceiling;
}

/** What must be looked up on the host before `compile` can answer the same request. */
export function factsWanted(request: CompileRequest, authority: Authority): FactsWanted {
  const grants = pathGrants(authority.capabilities, request);
  const { units, holes } = kernelUnits(grants, authority.ceiling, request.kind === "files");
  const written = units.filter(({ right, shape }) => right === "write" && shape === "tree");
  const paths = [
    ...SYSTEM_PATHS,
    ...units.flatMap(({ path, names }) => (names === null ? [path] : [path, names])),
    ...holes.map(({ path }) => path),
    ...requestPaths(request),
  ];
  return {
    programs: programNames(request, authority).map((name) => {
      const { trees, exec_trees } = profileOf(name);
      return { name, trees, exec_trees };
    }),
    paths: [...new Set(paths)].sort(),
    scan: [...new Set(written.map(({ path }) => path))].sort(),
  };
}

function requestPaths(request: CompileRequest): readonly string[] {
  switch (request.kind) {
    case "files":
      return [request.worker];
    case "program":
      return [
        ...(request.home === null ? [] : [request.home]),
        ...(request.cwd === "/" ? [] : [request.cwd]),
      ];
    case "web":
    case "model":
      return [request.script, ...request.trees];
  }
}

/** The programs in the root of this process, the one that is started first. */
export function programNames(request: CompileRequest, authority: Authority): readonly string[] {
  switch (request.kind) {
    case "files":
      return [];
    case "web":
    case "model":
      return ["node"];
    case "program":
      return programsFor(request.program, grantedPrograms(authority));
  }
}

/** Programs that the agent may run by name with any arguments. */
function grantedPrograms({ capabilities, ceiling }: Authority): readonly string[] {
  return capabilities.flatMap((one) =>
    one.kind === "exec" && one.subcommands === null && ceiling.exec.has(one.program)
      ? [one.program]
      : [],
  );
}
