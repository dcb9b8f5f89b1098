// Roots of other versions for the tests of the disk: a newer one, and one that fails in the way that the machine's SMBIOS family names,
// so that one bundle serves every way to fail. What is there is found again.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cpio } from "./cpio.mjs";
import { command, output, quote } from "./host.mjs";
import { cacheDir } from "./root.mjs";

const repo = join(import.meta.dirname, "../..");

/** How a spoilt root fails: the daemon ends at its start; the selftest fails; the kernel panics; the initrd hangs; the database's change
 * fails; or it succeeds, an older program cannot read it any more, and then the selftest fails.
 * @typedef {"crash" | "selftest" | "panic" | "hang" | "migration" | "migrated"} Failure */

/**
 * The root that image/make-root made, or makes.
 * @returns {Promise<string>} a folder with `root.squashfs`
 */
export async function rootOf() {
  return resolve(repo, (await output(join(repo, "image/make-root"), [])).trim());
}

/** A root with a version of its own, which works. @param {string} root @param {string} version */
export function newerRoot(root, version) {
  return changedRoot(root, version, async () => {});
}

/** A root that fails as the machine says. @param {string} root @param {string} version */
export function spoiltRoot(root, version) {
  return changedRoot(root, version, async (tree) => {
    const dist = join(tree, "usr/lib/aaos/dist");
    const is = (/** @type {readonly Failure[]} */ ...failures) =>
      `${JSON.stringify(failures)}.includes(readTestFamily("/sys/class/dmi/id/product_family", "utf8").trim())`;
    const begin = 'import { readFileSync as readTestFamily } from "node:fs";\n';
    await prepend(join(dist, "daemon.js"), `${begin}if (${is("crash")}) process.exit(1);\n`);
    await prepend(
      join(dist, "cli/verbs/selftest.js"),
      `${begin}if (${is("selftest", "migrated")}) { process.stderr.write("a goal did not end\\n"); process.exit(1); }\n`,
    );
    const migrate = join(dist, "store/migrate.js");
    await prepend(migrate, begin);
    await appendFile(
      migrate,
      `\nif (${is("migration")}) MIGRATIONS.push({ version: 99, breaking: true, sql: "SELECT nothing FROM nowhere" });
if (${is("migrated")}) MIGRATIONS.push({ version: 99, breaking: true, sql: "CREATE TABLE later (x)" });\n`,
    );
    const initrd = join(
      tree,
      (await output("sh", ["-c", `cd ${quote(tree)} && ls boot/initrd.img-*`])).trim(),
    );
    const script = `#!/bin/sh
case "\${1:-}" in prereqs) exit 0 ;; esac
case $(cat /sys/class/dmi/id/product_family) in
panic) echo c >/proc/sysrq-trigger ;;
hang) while :; do sleep 1000; done ;;
esac
`;
    const order =
      '/scripts/init-premount/spoilt "$@"\n[ -e /conf/param.conf ] && . /conf/param.conf\n';
    const more = cpio([
      { name: "scripts/init-premount", mode: 0o40755, text: "" },
      { name: "scripts/init-premount/ORDER", mode: 0o100644, text: order },
      { name: "scripts/init-premount/spoilt", mode: 0o100755, text: script },
    ]);
    const size = (await readFile(initrd)).length;
    await appendFile(initrd, Buffer.concat([Buffer.alloc((4 - (size % 4)) % 4), more]));
  });
}

/** @param {string} file @param {string} text */
async function prepend(file, text) {
  const old = await readFile(file, "utf8");
  const [first = "", ...rest] = old.split("\n");
  const shebang = first.startsWith("#!") ? `${first}\n` : "";
  await writeFile(file, shebang === "" ? text + old : shebang + text + rest.join("\n"));
}

/**
 * @param {string} root @param {string} version @param {(tree: string) => Promise<void>} change
 * @returns {Promise<string>} a folder with `root.squashfs`
 */
async function changedRoot(root, version, change) {
  const inputs = [join(root, "root.squashfs"), import.meta.filename];
  const sums = await output("sha256sum", inputs);
  const name = createHash("sha256").update(sums).update(version).digest("hex").slice(0, 16);
  const made = join(cacheDir, `root-${version}-${name}`);
  if (existsSync(made)) return made;
  const part = `${made}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  const tree = join(part, "tree");
  await command("unsquashfs", [
    "-quiet",
    "-no-progress",
    "-dest",
    tree,
    join(root, "root.squashfs"),
  ]);
  await writeFile(join(tree, "usr/lib/aaos/version"), `${version}\n`);
  await change(tree);
  // Packed quickly, not small.
  const pack = ["-comp", "gzip", "-Xcompression-level", "1", "-noappend", "-no-progress", "-quiet"];
  await command("mksquashfs", [tree, join(part, "root.squashfs"), ...pack, "-xattrs"]);
  await rm(tree, { recursive: true });
  await rename(part, made);
  return made;
}
