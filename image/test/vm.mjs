// A virtual machine for tests: power it on, run commands as root or as a user, hand files in and out, cut its power.
// It owns its QEMU process (killed by its own id, and by the kernel if this process dies), its sockets and its temporary disks;
// `close` ends all of it. Everything that waits has a time-out, and an error of the harness ends with the last lines of the console.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentLink } from "./agent-link.mjs";
import { command, missingPrograms, output, quote } from "./host.mjs";
import { asUser, qemuArgs } from "./qemu.mjs";
import { Qmp } from "./qmp.mjs";
import { cacheDir, makeExt4 } from "./root.mjs";

/** @typedef {import("./qemu.mjs").VmSpec} VmSpec */

/**
 * @typedef {object} Result of a command in the VM; a failed command is a value, not an error
 * @property {number} status
 * @property {number} signal
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

const SERIAL_KEPT_CHARS = 4 << 20;

/** Why no VM can run here, or undefined. @returns {string | undefined} */
export function missingForVm() {
  const missing = missingPrograms(["qemu-system-x86_64", "qemu-img", "mke2fs", "tar", "setpriv"]);
  return missing.length > 0 ? `not installed: ${missing.join(", ")}` : undefined;
}

/** Powers a new VM on. @param {VmSpec} spec @returns {Promise<Vm>} */
export async function bootVm(spec) {
  const dir = await mkdtemp(join(tmpdir(), "aaos-vm-"));
  const vm = new Vm(spec, dir);
  try {
    await vm.makeDisks();
    await vm.powerOn();
  } catch (error) {
    await vm.close();
    throw error;
  }
  return vm;
}

/** Boots, uses and always closes. @template T @param {VmSpec} spec @param {(vm: Vm) => Promise<T>} use @returns {Promise<T>} */
export async function withVm(spec, use) {
  const vm = await bootVm(spec);
  try {
    return await use(vm);
  } finally {
    await vm.close();
  }
}

export class Vm {
  /** Milliseconds from the last power-on or reset to the agent's first word, and to a booted system. */
  timings = { agentMs: 0, readyMs: 0 };
  /** @type {VmSpec} */
  #spec;
  #dir;
  /** @type {string[]} */
  #drives = [];
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #qemu;
  /** @type {AgentLink | undefined} */
  #link;
  /** @type {Qmp | undefined} */
  #qmp;
  /** @type {import("node:net").Socket | undefined} */
  #console;
  #serial = "";
  #qemuSaid = "";
  #bootId = "";
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /** @param {VmSpec} spec @param {string} dir */
  constructor(spec, dir) {
    this.#spec = spec;
    this.#dir = dir;
  }

  /** What the console has shown since the last power-on. */
  get serialLog() {
    return this.#serial;
  }

  /** The console's log file of all boots; stays after `close`. */
  get serialLogFile() {
    return join(cacheDir, "logs", `${this.#spec.name}.serial.log`);
  }

  /** QEMU's resident memory now. */
  get residentMb() {
    const status = readFileSync(`/proc/${this.#qemu?.pid}/status`, "utf8");
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }

  /** Lays the overlay over the root and packs the shares. */
  async makeDisks() {
    const overlay = join(this.#dir, "root.qcow2");
    await command("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", this.#spec.image, overlay]);
    this.#drives = [overlay, ...(this.#spec.disks ?? [])];
    for (const [index, share] of (this.#spec.shares ?? []).entries()) {
      const image = join(this.#dir, `share${index}.img`);
      const usedMb = Number((await output("du", ["-sm", share.from])).split("\t")[0]);
      await makeExt4(share.from, image, 256 + usedMb * 2);
      this.#drives.push(image);
    }
    await mkdir(dirname(this.serialLogFile), { recursive: true });
    await rm(this.serialLogFile, { force: true });
  }

  /** Starts QEMU on the same disks and waits as the spec says. */
  async powerOn() {
    if (this.#qemu !== undefined) throw new Error("the VM is on");
    const began = performance.now();
    this.#bootId = "";
    this.#serial = "";
    const listening = await Promise.all(["agent", "qmp", "serial"].map((name) => this.#listen(name)));
    const args = qemuArgs(this.#spec, { dir: this.#dir, drives: this.#drives, serialLog: this.serialLogFile });
    // With pdeathsig the kernel ends QEMU when this process dies, however it dies.
    const qemu = spawn("setpriv", ["--pdeathsig", "KILL", "--", "qemu-system-x86_64", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#qemu = qemu;
    for (const stream of [qemu.stdout, qemu.stderr]) stream.on("data", (bytes) => (this.#qemuSaid += bytes));
    qemu.once("exit", () => {
      this.#qemu = undefined;
      for (const server of listening) server.close();
      this.#wake();
    });
    await this.#ready(began);
  }

  /** @param {string} name */
  async #listen(name) {
    const path = join(this.#dir, name);
    await rm(path, { force: true });
    const server = createServer((socket) => this.#connected(name, socket));
    server.listen(path);
    await once(server, "listening");
    return server;
  }

  /** @param {string} name @param {import("node:net").Socket} socket */
  #connected(name, socket) {
    switch (name) {
      case "agent":
        this.#link = new AgentLink(socket, (bootId) => {
          this.#bootId = bootId;
          this.#wake();
        });
        return;
      case "qmp":
        this.#qmp = new Qmp(socket, (event) => {
          if (event === "RESET") this.#link?.restart("the VM was reset");
          if (event === "RESET") this.#bootId = "";
        });
        this.#qmp.send("qmp_capabilities").catch(() => {});
        return;
      default:
        this.#console = socket;
        socket.setEncoding("utf8").on("error", () => {});
        socket.on("data", (text) => {
          this.#serial = (this.#serial + text).slice(-SERIAL_KEPT_CHARS);
          this.#wake();
        });
    }
  }

  #wake() {
    for (const look of [...this.#watchers]) look();
  }

  /** Waits until `seen` gives a value; fails when QEMU ends or time is up. @template T @param {string} what @param {number} timeoutMs @param {() => T | undefined} seen @returns {Promise<T>} */
  #until(what, timeoutMs, seen) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const value = seen();
        if (value !== undefined) stop(() => resolve(value));
        else if (this.#qemu === undefined) stop(() => reject(this.#error(`${what}: QEMU has ended`)));
      };
      const timer = setTimeout(() => stop(() => reject(this.#error(`${what}: not within ${timeoutMs} ms`))), timeoutMs);
      /** @param {() => void} settle */
      const stop = (settle) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle();
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** @param {string} message */
  #error(message) {
    const tail = this.#serial.split("\n").slice(-25).join("\n");
    return new Error(`${this.#spec.name}: ${message}\n${this.#qemuSaid}${tail}\n(whole console: ${this.serialLogFile})`);
  }

  /** @param {number} began */
  async #ready(began) {
    const timeoutMs = this.#spec.timeoutMs ?? 240_000;
    await this.#until("first word of the guest agent", timeoutMs, () => this.#bootId || undefined);
    this.timings.agentMs = Math.round(performance.now() - began);
    for (const [index, share] of (this.#spec.shares ?? []).entries()) {
      const device = `/dev/nvme0n${2 + (this.#spec.disks ?? []).length + index}`;
      const to = quote(share.to);
      await this.must(`mkdir -p ${to} && mount -o ${share.writable ? "rw" : "ro"} ${device} ${to}`);
    }
    if ((this.#spec.until ?? "running") === "running") await this.#running(timeoutMs);
    this.timings.readyMs = Math.round(performance.now() - began);
  }

  /** @param {number} timeoutMs */
  async #running(timeoutMs) {
    const { stdout } = await this.run("systemctl is-system-running --wait", { timeoutMs });
    if (stdout.trim() === "running") return;
    const failed = await this.run("systemctl --failed --no-pager --plain; journalctl -b -p warning --no-pager -n 40");
    throw this.#error(`systemd is "${stdout.trim()}", not "running"\n${failed.stdout}`);
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
    if (status !== 0) throw new Error(`${this.#spec.name}: ${shellCommand}\nstatus ${status}, signal ${signal}\n${stdout}${stderr}`);
    return stdout;
  }

  /** @param {string} shellCommand @param {Omit<RunOptions, "stdin"> & {stdin?: string | Buffer | AsyncIterable<Buffer>}} options @param {(bytes: Buffer) => void} onStdout */
  async #stream(shellCommand, { timeoutMs = 60_000, user, stdin }, onStdout) {
    if (this.#link === undefined || this.#bootId === "") throw this.#error("the guest agent does not answer");
    /** @type {Buffer[]} */
    const stderr = [];
    const began = performance.now();
    const job = this.#link.start(user === undefined ? shellCommand : asUser(user, shellCommand), {
      onStdout,
      onStderr: (bytes) => stderr.push(bytes),
      stdin: typeof stdin === "string" ? [Buffer.from(stdin)] : Buffer.isBuffer(stdin) ? [stdin] : (stdin ?? []),
    });
    const late = new AbortController();
    const tooLate = sleep(timeoutMs, undefined, { signal: late.signal }).then(() => {
      job.kill();
      throw this.#error(`not done within ${timeoutMs} ms: ${shellCommand}\n${Buffer.concat(stderr)}`);
    });
    try {
      const ended = await Promise.race([job.ended, tooLate]);
      return { ...ended, stderr: Buffer.concat(stderr).toString(), durationMs: Math.round(performance.now() - began) };
    } finally {
      late.abort();
      tooLate.catch(() => {});
      job.ended.catch(() => {});
    }
  }

  /** Copies a file or a tree of the host to the given path in the VM, modes kept, owned by root. @param {string} from @param {string} to */
  async copyIn(from, to) {
    const tar = spawn("tar", ["-C", dirname(from), "--owner=0", "--group=0", "-cf", "-", basename(from)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const target = quote(to);
    const unpack = `set -e; rm -rf ${target}.in; mkdir -p ${target}.in; tar -xf - -C ${target}.in; mv -T ${target}.in/${quote(basename(from))} ${target}; rmdir ${target}.in`;
    const { status, stderr } = await this.#stream(unpack, { stdin: tar.stdout, timeoutMs: 300_000 }, () => {});
    if (status !== 0) throw this.#error(`copyIn ${from}: ${stderr}`);
  }

  /** Copies a file or a tree of the VM into an existing folder of the host. @param {string} from @param {string} toDir */
  async copyOut(from, toDir) {
    const tar = spawn("tar", ["-xf", "-", "--no-same-owner", "-C", toDir], { stdio: ["pipe", "ignore", "inherit"] });
    const unpacked = once(tar, "exit");
    tar.stdin.on("error", () => {});
    const pack = `tar -C ${quote(dirname(from))} -cf - ${quote(basename(from))}`;
    const { status, stderr } = await this.#stream(pack, { timeoutMs: 300_000 }, (bytes) => tar.stdin.write(bytes));
    tar.stdin.end();
    const [code] = await unpacked;
    if (status !== 0 || code !== 0) throw this.#error(`copyOut ${from}: ${stderr}`);
  }

  /** Waits for text on the console since the last power-on. @param {RegExp} pattern @param {{timeoutMs?: number}} [options] */
  waitFor(pattern, { timeoutMs = 120_000 } = {}) {
    return this.#until(`console shows ${pattern}`, timeoutMs, () => pattern.exec(this.#serial) ?? undefined);
  }

  /** Types on the console. @param {string} text */
  type(text) {
    this.#console?.write(text);
  }

  /** @param {string} name @param {Record<string, unknown>} [args] */
  qmp(name, args) {
    if (this.#qmp === undefined) throw this.#error("QEMU is not connected");
    return this.#qmp.send(name, args);
  }

  /** The reset button: no shutdown, memory lost, then boots again. */
  async reset() {
    const began = performance.now();
    this.#bootId = "";
    this.#link?.restart("the VM was reset");
    await this.qmp("system_reset");
    await this.#ready(began);
  }

  /** An orderly reboot from inside. */
  async reboot() {
    const began = performance.now();
    const before = this.#bootId;
    await this.run("systemctl reboot").catch(() => {});
    await this.#until("reboot", this.#spec.timeoutMs ?? 240_000, () => (this.#bootId !== before && this.#bootId !== "") || undefined);
    await this.#ready(began);
  }

  /** Kills QEMU as a power cut would: what the guest had not flushed to its disk by then may be lost. `powerOn` boots again. */
  async powerCut() {
    const qemu = this.#qemu;
    if (qemu === undefined) return;
    const gone = once(qemu, "exit");
    qemu.kill("SIGKILL");
    await gone;
    this.#bootId = "";
  }

  /** Ends the VM and removes its disks; the console's log stays. */
  async close() {
    await this.powerCut();
    if (existsSync(this.#dir)) await rm(this.#dir, { recursive: true, force: true });
  }
}
