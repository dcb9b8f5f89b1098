// What the tests of the installed disk share: a disk of the very root that the ISO carries, bundles, and a VM whose first disk the
// firmware starts.
import { existsSync } from "node:fs";
import { copyFile, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { command, quote } from "./host.mjs";
import { bootVm } from "./vm.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const repo = join(import.meta.dirname, "../..");
const GATE_MS = 900_000;
export const LONG = { timeoutMs: 600_000 };
/** The states in which a run stays. */
export const ENDED = /^(succeeded|failed|cancelled)$/;

/** A disk that the installer made of a root. @param {string} root @param {string} file */
export async function makeDisk(root, file) {
  await command(join(repo, "image/make-disk"), [root, file]);
}

/** A signed bundle of a root, found again beside it. @param {string} root @param {string} name @param {Record<string, string>} [env] @returns {Promise<string>} */
export async function bundleOf(root, name, env = {}) {
  const file = join(root, `${name}.raucb`);
  if (existsSync(file)) return file;
  const words = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  await command("env", [...words, join(repo, "image/make-bundle"), root, `${file}.part`]);
  await rename(`${file}.part`, file);
  return file;
}

/** The bundle's bytes with one of them changed. @param {string} bundle @param {string} file @param {number} at */
export async function flipped(bundle, file, at) {
  await copyFile(bundle, file);
  const byte = (await readFile(bundle)).subarray(at, at + 1);
  const text = `\\${((byte[0] ?? 0) ^ 1).toString(8).padStart(3, "0")}`;
  const patch = `printf '${text}' | dd of=${quote(file)} bs=1 seek=${at} conv=notrunc status=none`;
  await command("sh", ["-c", patch]);
}

/** A disk with these files, for a machine to read. @param {string} folder @param {string} image */
export async function mediumOf(folder, image) {
  await command("mke2fs", ["-q", "-F", "-t", "ext4", "-m", "0", "-d", folder, image, "4G"]);
}

/** Another disk that begins as this one is, and leaves it as it is. @param {string} base raw or qcow2 @param {string} file */
export async function overlayOf(base, file) {
  const format = base.endsWith(".qcow2") ? "qcow2" : "raw";
  await command("qemu-img", ["create", "-q", "-f", "qcow2", "-F", format, "-b", base, file]);
}

/**
 * Starts a machine from the disk; returns when the guest agent speaks. What the guest flushes reaches the file.
 * @param {string} disk @param {Partial<import("./qemu.mjs").VmSpec> & {name: string, failure?: import("./disk-roots.mjs").Failure}} spec
 * @param {readonly string[]} [more] further disks; the machine finds them as /dev/disk/by-id/virtio-disk1, …
 */
export function bootDisk(disk, { failure, ...spec }, more = []) {
  const drives = [disk, ...more].flatMap((file, at) => [
    ...["-drive", `file=${file},if=none,id=r${at},format=${formatOf(file)},cache=writeback`],
    ...["-device", `virtio-blk-pci,drive=r${at},serial=disk${at}${at === 0 ? ",bootindex=1" : ""}`],
  ]);
  const smbios = failure === undefined ? [] : ["-smbios", `type=1,family=${failure}`];
  const qemuArgs = [...drives, ...smbios, ...(spec.qemuArgs ?? [])];
  return bootVm({ until: "agent", timeoutMs: 600_000, memoryMb: 1536, ...spec, qemuArgs });
}

/** @param {string} file */
function formatOf(file) {
  if (file.startsWith("nbd")) return "raw";
  return file.endsWith(".qcow2") ? "qcow2" : "raw";
}

/** Waits until the slot's proof has ended; gives what it said. @param {Vm} vm @returns {Promise<string>} */
export async function proofOf(vm) {
  const ended = "[ $(systemctl show -P ExecMainExitTimestampMonotonic aaos-health) != 0 ]";
  await vm.must(`until ${ended}; do sleep 1; done`, { timeoutMs: GATE_MS });
  return vm.must("journalctl -b -u aaos-health -o cat --no-pager");
}

/** @param {Vm} vm @param {string} [options] @returns {Promise<any>} */
export async function slotsOf(vm, options = "") {
  const { stdout, stderr } = await vm.run(`agentd --json system status ${options}`, LONG);
  if (stdout === "") throw new Error(`agentd system status: ${stderr}`);
  return JSON.parse(stdout);
}

/** Waits until the machine runs from the slot, over as many starts as that takes, `starts` at least. @param {Vm} vm @param {string} slot @param {number} [starts] */
export async function untilSlot(vm, slot, starts = 0) {
  const until = performance.now() + 2 * GATE_MS;
  while (performance.now() < until) {
    if (startsOf(vm).length < starts) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      continue;
    }
    const { stdout } = await vm.run("cat /proc/cmdline").catch(() => ({ stdout: "" }));
    if (stdout.includes(`rauc.slot=${slot}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  throw new Error(`slot ${slot} does not run`);
}

/** How often the chooser started each slot since the last power-on. @param {Vm} vm */
export function startsOf(vm) {
  return [...vm.serialLog.matchAll(/Booting slot ([AB])/g)].map(([, slot]) => slot).join("");
}

/** Shuts it down from inside; settles when QEMU has ended. @param {Vm} vm */
export async function untilOff(vm) {
  await vm.run("systemctl poweroff").catch(() => {});
  const never = vm.waitFor(/ \bno such line\b /, { timeoutMs: 300_000 });
  const why = await never.then(String, String);
  if (!why.includes("QEMU has ended")) throw new Error(`it does not go off: ${why}`);
}

/** A goal of several steps, so that it is under way when the machine is cut off. @param {Vm} vm @returns {Promise<string>} the run's id */
export async function beginGoal(vm) {
  const files = Array.from({ length: 8 }, (_, at) => `/data/in${at}.txt`);
  const lines = "seq 1 2000 | sed 's/.*/Slot & holds a system. It is kept when it works./'";
  await vm.must(`for f in ${files.join(" ")}; do ${lines} >$f; chmod 644 $f; done`);
  const goal = `Read ${files.join(", ")} and write a summary to /output/summary.md`;
  return (await vm.must(`agentd submit --detach '${goal}'`, LONG)).trim();
}

/** @param {Vm} vm @param {string} run @returns {Promise<string>} its state; "" where the daemon does not know it */
async function stateOf(vm, run) {
  const { stdout } = await vm.run("agentd --json list --all", LONG);
  const { runs } = stdout === "" ? { runs: [] } : JSON.parse(stdout);
  return runs.find((/** @type {any} */ each) => each.run_id === run)?.state ?? "";
}

/** Waits until a run has ended; gives its state. @param {Vm} vm @param {string} run */
export async function endOf(vm, run) {
  const until = performance.now() + GATE_MS;
  for (;;) {
    const state = await stateOf(vm, run);
    if (ENDED.test(state)) return state;
    if (performance.now() > until) throw new Error(`run ${run} is ${state} and does not end`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
