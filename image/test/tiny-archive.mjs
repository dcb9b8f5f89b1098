// A Debian archive of two packages: a program, and what it needs.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { command, output } from "./host.mjs";

/** @typedef {{name: string, depends?: string, path: string, text: string}} Package */

/** @type {readonly Package[]} */
const PACKAGES = [
  {
    name: "greeter",
    depends: "libgreeting",
    path: "usr/bin/greeter",
    text: "#!/bin/sh\ncat /usr/lib/greeting\n",
  },
  { name: "libgreeting", path: "usr/lib/greeting", text: "hello from a library\n" },
];

/** @param {string} dir @returns {Promise<string>} the archive's folder */
export async function tinyArchive(dir) {
  const archive = join(dir, "archive");
  await mkdir(archive, { recursive: true });
  for (const { name, depends, path, text } of PACKAGES) {
    const tree = join(dir, `package-${name}`);
    const control = [
      ...[`Package: ${name}`, "Version: 1.0", "Architecture: all", "Maintainer: T <t@t.invalid>"],
      ...(depends === undefined ? [] : [`Depends: ${depends}`]),
      ...["Description: for a test", ""],
    ].join("\n");
    for (const [file, content] of [
      [path, text],
      ["DEBIAN/control", control],
    ]) {
      await mkdir(dirname(join(tree, file ?? "")), { recursive: true });
      const mode = file?.includes("/bin/") ? 0o755 : 0o644;
      await writeFile(join(tree, file ?? ""), content ?? "", { mode });
    }
    const deb = join(archive, `${name}_1.0_all.deb`);
    await command("dpkg-deb", ["--root-owner-group", "-b", tree, deb]);
  }
  const index = await output("sh", ["-c", 'cd "$1" && apt-ftparchive packages .', "sh", archive]);
  await writeFile(join(archive, "Packages"), index);
  return archive;
}
