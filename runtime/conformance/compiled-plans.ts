import { compileOnHost } from "../compile-on-host.js";
import { makeCeiling } from "../policy/ceiling.js";
import { parseGrant } from "../policy/grammar.js";
import type { Capability } from "../protocol/capability.js";
import type { ConfinementPlan } from "../protocol/confinement.js";
import { PolicyFile } from "../protocol/policy-file.js";
import { delegatedCgroup } from "../sandbox/delegated-cgroup.js";
import type { Attempt, TokenSet } from "./attempt.js";
import type { World } from "./world.js";

const WORK = [
  "file_read: {in}/*",
  "file_read: {out}/*",
  "file_write: {out}/*",
  "file_write: {box}/*",
];

/** What the agent that tries was granted, as its manifest would say it. */
const TOKENS: Readonly<Record<TokenSet, readonly string[]>> = {
  nothing: ["exec: probe"],
  work: ["exec: probe", ...WORK],
  network: ["exec: probe", ...WORK, "network: api.example.com"],
};

/** Gives the plan that the daemon would launch for this attempt: the tokens compiled under a policy that allows them. */
export function planCompiler(options: {
  readonly world: World;
  readonly landlockAbi: number;
  /** The directory of the probe. */
  readonly programs: string;
}): (attempt: Attempt, argv: readonly string[]) => Promise<ConfinementPlan> {
  const { world, landlockAbi, programs } = options;
  const compile = compileOnHost({ landlockAbi, path: programs, cgroup: delegatedCgroup() });
  const roots = [world.fill("{w}")];
  const policy = PolicyFile.parse({
    read: { allow: roots },
    write: { allow: roots },
    exec: { allow: ["probe"] },
  });
  const ceiling = makeCeiling(policy, { workspace: null, never: [] });
  const known = new Map<string, ConfinementPlan>();
  let calls = 0;
  return async (attempt, argv) => {
    // The world is the same every time, and so is the plan.
    const same = known.get(attempt.id);
    if (same !== undefined) return same;
    calls += 1;
    const capabilities = TOKENS[attempt.tokens].map((text) => capability(world.fill(text)));
    const compiled = await compile(
      {
        kind: "program",
        purpose: { kind: "exec" },
        program: "probe",
        args: argv,
        cwd: "/",
        env: attempt.env ?? {},
        network: true,
        home: null,
        cgroup_name: `conformance-${process.pid}-${calls}`,
      },
      { capabilities, ceiling },
    );
    if (compiled.ok) {
      known.set(attempt.id, compiled.plan);
      return compiled.plan;
    }
    throw new Error("problem" in compiled ? compiled.problem : compiled.denial.message);
  };
}

function capability(text: string): Capability {
  const parsed = parseGrant(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.grant.capability;
}
