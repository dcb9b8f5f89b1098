import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** What a confined Node of ours may read beside its script: the compiled program, its modules, and the operator's authorities. */
export function programTrees(programDir: string, caFiles: readonly string[]): readonly string[] {
  return [programDir, ...modulesOf(programDir), ...caFiles].map(resolved);
}

/** The modules, and the package's own file, by which Node knows that they are modules. */
function modulesOf(programDir: string): readonly string[] {
  const above = dirname(programDir);
  return [
    join(programDir, "node_modules"),
    join(above, "node_modules"),
    join(above, "package.json"),
  ].filter((path) => existsSync(path));
}

function resolved(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}
