// copyright.mjs [COMPONENT...]: prints debian/copyright, made of package-lock.json and what the modules themselves declare: a paragraph for each group
// of modules with the same copyright lines and licence. make-source puts it into the source package.
// The texts of the licences stand in packaging/deb/licences; a licence without a text is an error.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const licences = readFileSync(join(root, "packaging/deb/licences"), "utf8");

/** SPDX names to the names of Debian's copyright format. */
const NAMES = { MIT: "Expat", "BSD-2-Clause": "BSD-2-clause", "BSD-3-Clause": "BSD-3-clause", "(MIT OR Apache-2.0)": "Expat or Apache-2.0", "MIT OR Apache": "Expat or Apache-2.0" };

/** The modules of a component, each the folder below node_modules. */
function modules(component) {
  const files = execFileSync("node", [join(root, "packaging/deb/vendor.mjs"), component, root], { encoding: "utf8", maxBuffer: 1 << 28 });
  const dirs = files.split("\0").flatMap((file) => {
    const found = /^(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(file);
    return found === null ? [] : [found[1]];
  });
  return [...new Set(dirs)].sort();
}

function licenceOf(module, { license, licenses }) {
  const named = typeof license === "string" ? license : (license?.type ?? licenses?.[0]?.type);
  if (named === undefined) throw new Error(`${module} declares no licence`);
  const name = NAMES[named] ?? named;
  for (const part of name.split(" or "))
    if (!licences.includes(`License: ${part}\n`)) throw new Error(`${module}: no text for licence ${named}`);
  return name;
}

/** The copyright lines of its licence file; else the author; else its contributors. */
function holders(dir, name, { author }) {
  const texts = readdirSync(dir).filter((file) => /^(licen[cs]e|copying)/i.test(file)).map((file) => readFileSync(join(dir, file), "utf8"));
  const lines = texts.flatMap((text) => text.split("\n")).flatMap((line) => {
    const found = /^\W*Copyright\s+(?:\(c\)|©)?\s*((?:\(c\)\s*)?\d{4}.*|[A-Z].*)$/i.exec(line.trim());
    return found === null || /\[yyyy\]|\{yyyy\}|copyright (owner|notice|holder|license|statement)/i.test(line) ? [] : [found[1].replace(/^\(c\)\s*/i, "").replace(/\s*All rights reserved\.?$/i, "").replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").trim()];
  });
  if (lines.length > 0) return [...new Set(lines)];
  const by = typeof author === "string" ? author : author?.name;
  return [by === undefined || by === "" ? `${name} contributors` : by];
}

const groups = new Map();
const wanted = process.argv.slice(2);
for (const component of wanted.length > 0 ? wanted : ["tools", "vendor"])
  for (const module of modules(component)) {
    const dir = join(root, module);
    const json = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    const licence = licenceOf(module, json);
    const lines = holders(dir, json.name, json);
    const path = `${component}/${module.replace(/^node_modules\//, "")}/*`;
    const depth = path.split("/node_modules/").length;
    const key = JSON.stringify([depth, licence, lines]);
    groups.set(key, { licence, lines, depth, files: [...(groups.get(key)?.files ?? []), path] });
  }
// The last paragraph that fits a file holds: a module inside of another comes after it.
const paragraphs = [...groups.values()].sort((a, b) => a.depth - b.depth || (a.files[0] < b.files[0] ? -1 : 1));
const text = [
  `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: aaOS
Comment: The paragraphs of vendor/ and tools/ are made by packaging/deb/copyright.mjs from what the modules of package-lock.json
 declare. Their licence and notice files are kept verbatim in /usr/share/doc/aaos/third-party-licences.gz.

Files: *
Copyright:
 2026 the aaOS authors
License: Apache-2.0
`,
  ...paragraphs.map(({ licence, lines, files }) => `Files:\n${files.map((file) => ` ${file}\n`).join("")}Copyright:\n${lines.map((line) => ` ${line}\n`).join("")}License: ${licence}\n`),
  licences,
].join("\n");
process.stdout.write(text);
