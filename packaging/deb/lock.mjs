// What package-lock.json says of the modules that the program loads: the one walk that the source package and the SBOM are made from.
import { readFileSync } from "node:fs";

// Downloads a compiled addon; the package compiles its own.
const LEFT_OUT = new Set(["prebuild-install"]);

/** `packages` of the file; `reach(names)`: those packages and all that they need, as keys of it; `production`, what ships. */
export function openLock(file) {
  const packages = JSON.parse(readFileSync(file, "utf8")).packages;

  /** Where Node finds `name` from the package at `at`, as a key of the lock file. */
  function find(at, name) {
    for (let from = at; ; ) {
      const path = from === "" ? `node_modules/${name}` : `${from}/node_modules/${name}`;
      if (packages[path] !== undefined) return path;
      if (from === "") return undefined;
      const above = from.lastIndexOf("/node_modules/");
      from = above < 0 ? "" : from.slice(0, above);
    }
  }

  /** What a package needs, optional peers aside: nobody but the program itself chooses those. */
  function needs({ dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} }) {
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
    return [...Object.keys(dependencies), ...peers];
  }

  /** The direct needs of the package at `path`, as keys. */
  const needsOf = (path) => needs(packages[path]).filter((name) => !LEFT_OUT.has(name)).map((name) => find(path, name)).filter((each) => each !== undefined);

  /** Adds the packages `names` as seen from `at`, and all that they need, to `into`. */
  function reach(names, at = "", into = new Set()) {
    for (const name of names) {
      if (LEFT_OUT.has(name)) continue;
      const path = find(at, name);
      if (path === undefined) throw new Error(`package-lock.json has no ${name} for ${at}`);
      if (into.has(path)) continue;
      into.add(path);
      reach(needs(packages[path]), path, into);
    }
    return into;
  }

  return { packages, reach, needsOf, production: reach(Object.keys(packages[""].dependencies)) };
}
