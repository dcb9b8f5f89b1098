// A virtual machine for tests: power it on, run commands as root or as a user, hand files in and out, cut its power.
// It owns its QEMU process, its sockets and its temporary disks; `close` ends all of it. Everything that waits has a time-out, and an
// error of the harness ends with the last lines of the console.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { command, missingPrograms, output, quote } from "./host.mjs";
import { Machine } from "./machine.mjs";
import { asUser, diskPath, efiVarsTemplate, qemuArgs } from "./qemu.mjs";
import { cacheDir, guestProgram, makeExt4 } from "./root.mjs";

/** @typedef {import("./qemu.mjs").VmSpec} VmSpec */

/**
 * What a command in the VM came to; a failed command is a value, not an error.
 * @typedef {object} Result
 * @property {number} status 255 when a signal ended the shell
 * @property {number} signal 0 when none
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} durationMs
 */

/**
 * @typedef {object} RunOptions
 * @property {number} [timeoutMs] default 60 s; then the command and its process group are killed
 * @property {string} [user] default root
 * @property {string | Buffer} [stdin]
 */

const BOOT_TIMEOUT_MS = 240_000;
const COPY_TIMEOUT_MS = 300_000;

/** Why no VM can run here, or undefined. @returns {string | undefined} */
export function missingForVm() {
  const missing = missingPrograms(["qemu-system-x86_64", "qemu-img", "mke2fs", "tar", "setpriv"]);
  return missing.length > 0 ? `not installed: ${missing.join(", ")}` : undefined;
}

/** Powers a new VM on. @param {VmSpec} spec @returns {Promise<Vm>} */
export async function bootVm(spec) {
  const vm = new Vm(spec, await mkdtemp(join(tmpdir(), "aaos-vm-")));
  try {
    await vm.makeDisks();
    await vm.powerOn();
  } catch (error) {
    await vm.close();
    throw error;
  }
  return vm;
}

export class Vm {
  /** Milliseconds from the last power-on or reset to the agent's first word, and to a booted system. */
  timings = { agentMs: 0, readyMs: 0 };
  /** The console's log file of all boots; stays after `close`. */
  serialLogFile;
  #spec;
  #dir;
  #machine;
  /** @type {string[]} */
  #drives = [];
  /** Number of the first share among the disks. */
  #sharesFrom = 2;
  /** @type {{efiVars?: string, agentDisk?: string}} */
  #places = {};

  /** @param {VmSpec} spec @param {string} dir for sockets and temporary disks; removed by `close` */
  constructor(spec, dir) {
    this.#spec = spec;
    this.#dir = dir;
    this.serialLogFile = join(cacheDir, "logs", `${spec.name}.serial.log`);
    this.#machine = new Machine(spec.name, dir, this.serialLogFile);
  }

  /** What the console has shown since the last power-on. */
  get serialLog() {
    return this.#machine.serial;
  }

  /** QEMU's resident memory now. */
  get residentMb() {
    return this.#machine.residentMb;
  }

  /**
   * Copies the root and packs the shares; once, before the first power-on. A raw copy: over a qcow2 overlay one power cut of fourteen lost
   * what had been synced, over a copy none of thirty. An overlay notes new blocks in QEMU's memory first, and QEMU is killed.
   */
  async makeDisks() {
    if (this.#spec.image !== undefined) {
      const root = join(this.#dir, "root.img");
      await command("cp", ["--sparse=always", this.#spec.image, root]);
      this.#drives.push(root);
    }
    this.#drives.push(...(this.#spec.disks ?? []));
    this.#sharesFrom = this.#drives.length + 1;
    const efiVars = efiVarsTemplate(this.#spec.firmware);
    if (efiVars !== undefined) {
      this.#places.efiVars = join(this.#dir, "efivars.fd");
      await copyFile(efiVars, this.#places.efiVars);
    }
    if (this.#spec.image === undefined) {
      const tree = join(this.#dir, "agent-tree");
      await mkdir(tree);
      await copyFile(await guestProgram("agent"), join(tree, "aaos-vm-agent"));
      this.#places.agentDisk = join(this.#dir, "agent.img");
      await makeExt4(tree, this.#places.agentDisk, 16);
    }
    for (const [index, share] of (this.#spec.shares ?? []).entries()) {
      const image = join(this.#dir, `share${index}.img`);
      const usedMb = Number((await output("du", ["-sm", share.from])).split("\t")[0]);
      await makeExt4(share.from, image, 256 + usedMb * 2);
      this.#drives.push(image);
    }
    await mkdir(dirname(this.serialLogFile), { recursive: true });
    await rm(this.serialLogFile, { force: true });
  }

  /** Boots on the same disks as before and waits as the spec says. */
  async powerOn() {
    const began = performance.now();
    const places = {
      ...this.#places,
      dir: this.#dir,
      drives: this.#drives,
      serialLog: this.serialLogFile,
    };
    await this.#machine.powerOn(qemuArgs(this.#spec, places));
    if (this.#spec.until === "menu") await this.waitFor(/Start aaOS/, { timeoutMs: 300_000 });
    else await this.#booted(began, "");
  }

  /** Waits as the spec says for a machine that was powered on until its boot menu. */
  async booted() {
    await this.#booted(performance.now(), "");
  }

  /** Kills QEMU, as a power cut would: what the guest had not flushed to its disk by then may be lost. `powerOn` boots again. */
  async powerCut() {
    await this.#machine.powerOff();
  }

  /** The reset button: no shutdown, memory lost, boots again. */
  async reset() {
    const began = performance.now();
    await this.#machine.reset();
    await this.#booted(began, "");
  }

  /** An orderly reboot from inside. */
  async reboot() {
    const began = performance.now();
    const before = this.#machine.bootId;
    await this.run("systemctl reboot").catch(() => {}); // the answer may be lost with the boot that gave it
    await this.#booted(began, before);
  }

  /** @param {number} began @param {string} before the id of the boot that has to end first */
  async #booted(began, before) {
    const timeoutMs = this.#spec.timeoutMs ?? BOOT_TIMEOUT_MS;
    const machine = this.#machine;
    const spoken = () => (machine.bootId === before ? undefined : machine.bootId || undefined);
    await machine.until("first word of the guest agent", timeoutMs, spoken);
    this.timings.agentMs = Math.round(performance.now() - began);
    for (const [index, share] of (this.#spec.shares ?? []).entries()) {
      const device = diskPath(this.#sharesFrom + index);
      const options = share.writable ? "rw" : "ro";
      const to = quote(share.to);
      const there = `until [ -b ${device} ]; do sleep 0.1; done`;
      await this.must(`${there}; mkdir -p ${to} && mount -o ${options} ${device} ${to}`);
    }
    if ((this.#spec.until ?? "running") === "running") await this.#running(timeoutMs);
    if ((this.#spec.net ?? "none") !== "none") await this.#online(timeoutMs);
    this.timings.readyMs = Math.round(performance.now() - began);
  }

  /** @param {number} timeoutMs */
  async #running(timeoutMs) {
    const { stdout } = await this.run("systemctl is-system-running --wait", { timeoutMs });
    const state = stdout.trim();
    if (state === "running") return;
    const why = "systemctl --failed --no-pager --plain; journalctl -b -p warning --no-pager -n 40";
    throw this.#machine.error(`systemd is "${state}"\n${(await this.run(why)).stdout}`);
  }

  /** systemd is "running" before udev has loaded the card's driver. @param {number} timeoutMs */
  async #online(timeoutMs) {
    const online = "until ip -4 route show default | grep -q .; do sleep 0.2; done";
    await this.must(online, { timeoutMs });
  }

  /** Runs a shell command. @param {string} shellCommand @param {RunOptions} [options] @returns {Promise<Result>} */
  async run(shellCommand, options = {}) {
    /** @type {Buffer[]} */
    const stdout = [];
    const result = await this.#stream(shellCommand, options, (bytes) => stdout.push(bytes));
    return { ...result, stdout: Buffer.concat(stdout).toString() };
  }

  /** Runs a command that has to succeed, and returns what it printed. @param {string} shellCommand @param {RunOptions} [options] */
  async must(shellCommand, options) {
    const { status, signal, stdout, stderr } = await this.run(shellCommand, options);
    if (status === 0) return stdout;
    const told = `status ${status}, signal ${signal}\n${stdout}${stderr}`;
    throw new Error(`${this.#spec.name}: ${shellCommand}\n${told}`);
  }

  /**
   * @param {string} shellCommand
   * @param {Omit<RunOptions, "stdin"> & {stdin?: string | Buffer | AsyncIterable<Buffer>}} options
   * @param {(bytes: Buffer) => void} onStdout
   */
  async #stream(shellCommand, { timeoutMs = 60_000, user, stdin = "" }, onStdout) {
    /** @type {Buffer[]} */
    const stderr = [];
    const began = performance.now();
    const whole = user === undefined ? shellCommand : asUser(user, shellCommand);
    const job = this.#machine.link.start(whole, {
      onStdout,
      onStderr: (bytes) => stderr.push(bytes),
      stdin: typeof stdin === "string" || Buffer.isBuffer(stdin) ? [Buffer.from(stdin)] : stdin,
    });
    const inTime = new AbortController();
    const tooLate = sleep(timeoutMs, undefined, { signal: inTime.signal }).then(() => {
      job.kill();
      const said = Buffer.concat(stderr).toString();
      throw this.#machine.error(`not done within ${timeoutMs} ms: ${shellCommand}\n${said}`);
    });
    try {
      const ended = await Promise.race([job.ended, tooLate]);
      const durationMs = Math.round(performance.now() - began);
      return { ...ended, stderr: Buffer.concat(stderr).toString(), durationMs };
    } finally {
      inTime.abort();
      tooLate.catch(() => {}); // the loser of the race
      job.ended.catch(() => {});
    }
  }

  /** Copies a file or a tree of the host to the given path in the VM, modes kept, owned by root. @param {string} from @param {string} to */
  async copyIn(from, to) {
    const name = basename(from);
    const args = ["-C", dirname(from), "--owner=0", "--group=0", "-cf", "-", "--", name];
    const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "inherit"] });
    const packed = once(tar, "exit");
    const [landing, target] = [quote(`${to}.incoming`), quote(to)];
    const unpack = `set -e
      rm -rf ${landing}; mkdir -p ${landing}; tar -xf - -C ${landing}
      rm -rf ${target}; mv -T ${landing}/${quote(name)} ${target}; rmdir ${landing}`;
    const options = { stdin: tar.stdout, timeoutMs: COPY_TIMEOUT_MS };
    const { status, stderr } = await this.#stream(unpack, options, () => {});
    if (status !== 0 || (await packed)[0] !== 0)
      throw this.#machine.error(`copyIn ${from}: ${stderr}`);
  }

  /** Copies a file or a tree of the VM into an existing folder of the host. @param {string} from @param {string} toDir */
  async copyOut(from, toDir) {
    const args = ["-xf", "-", "--no-same-owner", "-C", toDir];
    const tar = spawn("tar", args, { stdio: ["pipe", "ignore", "inherit"] });
    const unpacked = once(tar, "exit");
    tar.stdin.on("error", () => {}); // a tar that ended early is told by its status
    const pack = `tar -C ${quote(dirname(from))} -cf - -- ${quote(basename(from))}`;
    const options = { timeoutMs: COPY_TIMEOUT_MS };
    try {
      const write = (/** @type {Buffer} */ bytes) => void tar.stdin.write(bytes);
      const { status, stderr } = await this.#stream(pack, options, write);
      tar.stdin.end();
      if (status !== 0 || (await unpacked)[0] !== 0)
        throw this.#machine.error(`copyOut ${from}: ${stderr}`);
    } finally {
      tar.stdin.end();
    }
  }

  /** Waits for text on the console since the last power-on. @param {RegExp} pattern @param {{timeoutMs?: number}} [options] */
  waitFor(pattern, { timeoutMs = 120_000 } = {}) {
    const seen = () => pattern.exec(this.#machine.serial) ?? undefined;
    return this.#machine.until(`console shows ${pattern}`, timeoutMs, seen);
  }

  /** Types on the console, where a root shell listens. @param {string} text */
  type(text) {
    this.#machine.type(text);
  }

  /** A command of QEMU's machine protocol. @param {string} name @param {Record<string, unknown>} [args] */
  qmp(name, args) {
    return this.#machine.qmp.send(name, args);
  }

  /** Ends the VM and removes its disks; the console's log stays. */
  async close() {
    await this.#machine.powerOff();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
