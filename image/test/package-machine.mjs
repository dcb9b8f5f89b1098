// The machine that the package's tests share the making of: a stock Debian 13 in a VM, with users, a scripted model and the packages to
// install handed in. Each test file has one, and its tests are steps of one story.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { command, missingPrograms } from "./host.mjs";
import { handIn, wordsFor } from "./package-vm.mjs";
import { makeRoot, missingForRoot } from "./root.mjs";
import { bootVm, missingForVm } from "./vm.mjs";

const notThere = missingPrograms(["dpkg-deb", "git", "unshare", "xz"]);
const missing =
  missingForVm() ??
  missingForRoot() ??
  (notThere.length > 0 ? `not installed: ${notThere.join(", ")}` : undefined);
const skip = missing === undefined ? false : `skipped: ${missing}`;

/** A test that is skipped, with the reason and counted by itself, where no VM can run. @param {string} rule @param {(t: import("node:test").TestContext) => Promise<void>} check */
export function it(rule, check) {
  test(rule, { skip }, check);
}

/** To be called inside of `describe`: makes the machine before its tests, and ends it after them. @param {string} name */
export function packageMachine(name) {
  /** @type {import("./vm.mjs").Vm} */
  let vm;
  /** @type {string} */
  let scratch;
  /** What the machine had before the package came. @type {{files: Set<string>, mounts: string}} */
  let untouched;
  const words = wordsFor(() => vm);

  /** What is on the root file system, but for what apt, dpkg, the journal and passwd(5)'s own backups leave of any package. */
  async function files() {
    const found = await words.must("find / -xdev -path /opt -prune -o -print");
    const ofTheSystem =
      /^\/(var\/(log|cache|lib\/(dpkg|apt|systemd)|tmp)|tmp|etc\/(passwd|group|shadow|gshadow)-)(\/|$)/;
    return new Set(found.split("\n").filter((path) => path !== "" && !ofTheSystem.test(path)));
  }
  const mounts = () => words.must("findmnt --noheadings --list --output TARGET | sort");

  before(async () => {
    if (skip !== false) return;
    scratch = await mkdtemp(join(tmpdir(), "aaos-package-"));
    const from = join(scratch, "in");
    await mkdir(from);
    await handIn(from);
    const root = await makeRoot();
    const disk = join(scratch, "quota.img");
    await command("mke2fs", [
      "-q",
      "-t",
      "ext4",
      "-O",
      "quota,project",
      "-E",
      "quotatype=prjquota",
      disk,
      "128M",
    ]);
    // More than one worker may use: its limit is to be met, not the machine's end.
    vm = await bootVm({
      ...root,
      name,
      memoryMb: 2048,
      disks: [disk],
      shares: [{ from, to: "/opt/in" }],
    });
    for (const user of ["ada", "bob", "eve"])
      await words.must(`useradd --create-home --shell /bin/bash ${user}`);
    await words.installScriptedModel();
    await words.allowSlowStart();
    untouched = { files: await files(), mounts: await mounts() };
  });

  after(async () => {
    await vm?.close();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  });

  return { vm: () => vm, words, untouched: () => untouched, files, mounts };
}
