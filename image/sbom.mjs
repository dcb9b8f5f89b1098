#!/usr/bin/env node
// sbom.mjs ROOT SECONDS: what a root is made of, as SPDX 2.3: Debian's packages by dpkg's word, and the modules that the package aaos
// carries inside. Sorted and dated by the argument, so that the same root gives the same bytes.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [root = "", seconds = "0"] = process.argv.slice(2);

/** The fields of each installed package. @param {string} text of /var/lib/dpkg/status @returns {Map<string, string>[]} */
function stanzas(text) {
  return text
    .split("\n\n")
    .map(
      (stanza) =>
        new Map(
          [...stanza.matchAll(/^(\w[\w-]*): (.*)$/gm)].map(([, name = "", value = ""]) => [
            name,
            value,
          ]),
        ),
    )
    .filter((fields) => fields.get("Status")?.endsWith(" installed"));
}

/** @param {string} name @param {string} version @param {string} purl @param {Record<string, string>} more */
function entry(name, version, purl, more) {
  return {
    SPDXID: `SPDXRef-${createHash("sha256").update(purl).digest("hex").slice(0, 16)}`,
    name,
    versionInfo: version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    copyrightText: "NOASSERTION",
    ...more,
    externalRefs: [
      { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: purl },
    ],
  };
}

/** @returns {ReturnType<typeof entry>[]} */
function debianPackages() {
  return stanzas(readFileSync(join(root, "var/lib/dpkg/status"), "utf8")).map((fields) => {
    const [name = "", version = ""] = [fields.get("Package"), fields.get("Version")];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${fields.get("Architecture")}&distro=trixie`;
    return entry(name, version, purl, {
      supplier: `Person: ${fields.get("Maintainer") ?? "unknown"}`,
      licenseDeclared: "NOASSERTION",
      licenseComments: `see /usr/share/doc/${name}/copyright`,
    });
  });
}

/** Modules directly in the folder, scoped ones too. @param {string} dir @returns {string[]} */
function modules(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir).flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(dir, name)).map((it) => `${name}/${it}`) : [name],
  );
}

/** @param {string} dir @returns {ReturnType<typeof entry>[]} */
function nodeModules(dir) {
  return modules(dir)
    .filter((name) => existsSync(join(dir, name, "package.json")))
    .flatMap((name) => {
      const { version, license } = JSON.parse(
        readFileSync(join(dir, name, "package.json"), "utf8"),
      );
      const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
      const declared = typeof license === "string" ? license : "NOASSERTION";
      return [
        entry(name, version, purl, { licenseDeclared: declared }),
        ...nodeModules(join(dir, name, "node_modules")),
      ];
    });
}

const all = [...debianPackages(), ...nodeModules(join(root, "usr/lib/aaos/node_modules"))];
const packages = [...new Map(all.map((it) => [it.SPDXID, it])).values()].sort((a, b) =>
  `${a.name} ${a.versionInfo}` < `${b.name} ${b.versionInfo}` ? -1 : 1,
);
const names = JSON.stringify(packages);
const document = {
  spdxVersion: "SPDX-2.3",
  dataLicense: "CC0-1.0",
  SPDXID: "SPDXRef-DOCUMENT",
  name: "aaos-image",
  documentNamespace: `https://aaos.invalid/sbom/${createHash("sha256").update(names).digest("hex")}`,
  creationInfo: {
    created: new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+/, ""),
    creators: ["Tool: image/sbom.mjs"],
  },
  packages,
  relationships: packages.map((it) => ({
    spdxElementId: "SPDXRef-DOCUMENT",
    relationshipType: "DESCRIBES",
    relatedSpdxElement: it.SPDXID,
  })),
};
process.stdout.write(`${JSON.stringify(document, null, 1)}\n`);
