import { cargo } from "./profiles/cargo.js";
import { git } from "./profiles/git.js";
import { jq } from "./profiles/jq.js";
import { make } from "./profiles/make.js";
import { node } from "./profiles/node.js";
import { npm } from "./profiles/npm.js";
import { pandoc } from "./profiles/pandoc.js";
import { PLAIN, type Profile } from "./profiles/profile.js";
import { python3 } from "./profiles/python3.js";
import { rg } from "./profiles/rg.js";
import { SHELL_AND_TOOLS, sh, TOOLCHAIN } from "./profiles/shell.js";

const PROFILES: ReadonlyMap<string, Profile> = new Map([
  ...[...SHELL_AND_TOOLS, ...TOOLCHAIN].map((name) => [name, sh] as const),
  ...Object.entries({ cargo, git, jq, make, node, npm, npx: npm, pandoc, python3, rg }),
]);

/** The profile of a program by its plain name; a program that nothing is known of runs once and alone. */
export function profileOf(program: string): Profile {
  return PROFILES.get(program) ?? PLAIN;
}

/**
 * The programs that a call of `program` needs in its root, itself first: companions with theirs, and where it runs programs by name,
 * those in `granted`. Sorted after the first, so that the order of tokens does not matter.
 */
export function programsFor(program: string, granted: readonly string[]): readonly string[] {
  const found = new Set([program]);
  const others = profileOf(program).runs_granted ? granted : [];
  const pending = [...profileOf(program).companions, ...others];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    pending.push(...profileOf(name).companions);
  }
  found.delete(program);
  return [program, ...[...found].sort()];
}
