// What the tests of the installed disk share: a disk of the very root that the ISO carries, bundles of other versions, and a VM whose
// first disk the firmware starts.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command, output, quote } from "./host.mjs";
import { bootVm } from "./vm.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const repo = join(import.meta.dirname, "../..");
const GATE_MS = 900_000;

/**
 * Another version of a root, changed by a shell command that runs in its tree. Packed quickly, not small.
 * @param {string} root as `rootOf` gives it @param {string} dir @param {string} version @param {string} change
 * @returns {Promise<string>} a folder with `root.squashfs`
 */
export async function otherRoot(root, dir, version, change = ":") {
  const made = join(dir, version);
  const tree = join(made, "tree");
  await mkdir(made, { recursive: true });
  await command("unsquashfs", [
    "-quiet",
    "-no-progress",
    "-dest",
    tree,
    join(root, "root.squashfs"),
  ]);
  await writeFile(join(tree, "usr/lib/aaos/version"), `${version}\n`);
  await command("sh", ["-c", `cd ${quote(tree)} && ${change}`]);
  const pack = ["-comp", "gzip", "-Xcompression-level", "1", "-noappend", "-no-progress", "-quiet"];
  await command("mksquashfs", [tree, join(made, "root.squashfs"), ...pack, "-xattrs"]);
  await command("rm", ["-rf", tree]);
  return made;
}

/** A disk that the installer made of a root. @param {string} root @param {string} file */
export async function makeDisk(root, file) {
  await command(join(repo, "image/make-disk"), [root, file]);
}

/** A signed bundle of a root. @param {string} root @param {string} file @param {Record<string, string>} [env] */
export async function makeBundle(root, file, env = {}) {
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  await command("env", [...words, join(repo, "image/make-bundle"), root, file]);
}

/** The bundle's bytes with one of them changed. @param {string} bundle @param {string} file @param {number} at */
export async function flipped(bundle, file, at) {
  await copyFile(bundle, file);
  const byte = (await readFile(bundle)).subarray(at, at + 1);
  const text = `\\${((byte[0] ?? 0) ^ 1).toString(8).padStart(3, "0")}`;
  await command("sh", [
    "-c",
    `printf '${text}' | dd of=${quote(file)} bs=1 seek=${at} conv=notrunc status=none`,
  ]);
}

/** Starts a machine from the disk; returns when the guest agent speaks. What the guest flushes reaches the file, and nothing else does.
 * @param {string} disk @param {Partial<import("./qemu.mjs").VmSpec> & {name: string}} spec @param {readonly string[]} [more] further disks */
export function bootDisk(disk, spec, more = []) {
  const drives = [disk, ...more].flatMap((file, at) => [
    ...["-drive", `file=${file},if=none,id=r${at},format=raw,cache=writeback`],
    ...["-device", `virtio-blk-pci,drive=r${at},serial=disk${at}${at === 0 ? ",bootindex=1" : ""}`],
  ]);
  return bootVm({ until: "agent", timeoutMs: 600_000, memoryMb: 1536, ...spec, qemuArgs: drives });
}

/** Waits until the slot's proof has ended; gives what it said. @param {Vm} vm @returns {Promise<string>} */
export async function proofOf(vm) {
  const ended = "[ $(systemctl show -P ExecMainExitTimestampMonotonic aaos-health) != 0 ]";
  await vm.must(`until ${ended}; do sleep 1; done`, { timeoutMs: GATE_MS });
  return vm.must("journalctl -b -u aaos-health -o cat --no-pager");
}

/** @param {Vm} vm @param {string} [options] @returns {Promise<any>} */
export async function slotsOf(vm, options = "") {
  return JSON.parse(
    (await vm.run(`agentd --json system status ${options}`, { timeoutMs: 300_000 })).stdout,
  );
}

/** Waits until the machine runs from the slot, over as many starts as that takes. @param {Vm} vm @param {string} slot */
export async function untilSlot(vm, slot) {
  const until = performance.now() + 2 * GATE_MS;
  while (performance.now() < until) {
    const { stdout } = await vm.run("cat /proc/cmdline").catch(() => ({ stdout: "" }));
    if (stdout.includes(`rauc.slot=${slot}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
  throw new Error(`slot ${slot} does not run`);
}

/** The root that image/make-root made, or makes. @returns {Promise<string>} */
export async function rootOf() {
  return join(repo, (await output(join(repo, "image/make-root"), [])).trim());
}
