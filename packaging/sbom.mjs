// sbom.mjs LOCK MODULES [--licences]: the bill of materials of what ships, CycloneDX 1.5 as JSON, from package-lock.json and the
// modules themselves; with --licences a line for each, NAME VERSION LICENCE. The same input gives the same bytes. Fails for a
// licence that is not on the list below: somebody must have read it first.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openLock } from "./deb/lock.mjs";

const [lockFile, modules, as] = process.argv.slice(2);
if (modules === undefined) {
  process.stderr.write("usage: sbom.mjs LOCK MODULES [--licences]\n");
  process.exit(2);
}
/** Licences that go with Apache-2.0 in one package. */
const ACCEPTED = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "BlueOak-1.0.0", "CC0-1.0", "Unlicense", "Python-2.0", "Zlib"]);
/** Parts inside a module that have a version and a home of their own. */
const INSIDE = {
  "better-sqlite3": [{ name: "sqlite", licence: "blessing", version: sqliteVersion, url: "https://sqlite.org/" }],
};

const { packages, needsOf, production } = openLock(lockFile);
const root = packages[""];

function accepted(expression) {
  const words = expression.replace(/[()]/g, "").split(/ (?:OR|AND) /);
  return /AND/.test(expression) ? words.every((word) => ACCEPTED.has(word)) : words.some((word) => ACCEPTED.has(word));
}

function licenceOf(name, manifest) {
  const { license, licenses } = manifest;
  const said = typeof license === "string" ? license : (license?.type ?? licenses?.map(({ type }) => type).join(" OR "));
  if (said !== undefined && accepted(said)) return said;
  throw new Error(`${name}: the licence ${said} is not on the list in packaging/sbom.mjs; read it, then put it there or do without the module`);
}

function sqliteVersion(folder) {
  const script = join(folder, "deps/download.sh");
  const [, year, digits] = /YEAR="(\d+)"[\s\S]*VERSION="(\d+)"/.exec(existsSync(script) ? readFileSync(script, "utf8") : "") ?? [];
  if (year === undefined) return "unknown";
  return [digits.slice(0, 1), digits.slice(1, 3), digits.slice(3, 5)].map(Number).join(".");
}

const purl = (name, version) => `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;

const components = [];
const dependencies = [];
for (const path of [...production].sort()) {
  const folder = join(modules, path.slice("node_modules/".length));
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const { name, version } = manifest;
  if (version !== packages[path].version) throw new Error(`${folder} is ${version}, ${lockFile} says ${packages[path].version}`);
  const licence = licenceOf(name, manifest);
  const ref = purl(name, version);
  const [algorithm, digest] = (packages[path].integrity ?? "").split("-");
  components.push({
    type: "library",
    "bom-ref": `${ref}#${path}`,
    name,
    version,
    purl: ref,
    licenses: [/ /.test(licence) ? { expression: licence } : { license: { id: licence } }],
    ...(algorithm === "sha512" ? { hashes: [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }] } : {}),
    ...((INSIDE[name] ?? []).length === 0 ? {} : { components: INSIDE[name].map((part) => ({ type: "library", name: part.name, version: part.version(folder), licenses: [{ license: { id: part.licence } }], externalReferences: [{ type: "website", url: part.url }] })) }),
  });
  dependencies.push({ ref: `${ref}#${path}`, dependsOn: needsOf(path).map((each) => `${purl(nameOf(each), packages[each].version)}#${each}`).sort() });
}

function nameOf(path) {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

if (as === "--licences") {
  for (const { name, version, licenses } of components)
    process.stdout.write(`${name} ${version} ${licenses[0].expression ?? licenses[0].license.id}\n`);
} else {
  const self = `pkg:deb/debian/aaos@${root.version}`;
  const hash = createHash("sha256").update(JSON.stringify([self, components])).digest("hex");
  const uuid = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  const top = needsOf("").map((path) => `${purl(nameOf(path), packages[path].version)}#${path}`).sort();
  const bom = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: { component: { type: "application", "bom-ref": self, name: "aaos", version: root.version, purl: self, licenses: [{ license: { id: "Apache-2.0" } }] } },
    components,
    dependencies: [{ ref: self, dependsOn: top }, ...dependencies],
  };
  process.stdout.write(`${JSON.stringify(bom, null, 1)}\n`);
}
