// One QEMU process and the three sockets that lead into it: console, QMP, guest agent. It is killed by its own process id, and by the
// kernel when this process dies. The sockets are ours and QEMU connects to them, so that no early byte is lost.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { AgentLink } from "./agent-link.mjs";
import { Qmp } from "./qmp.mjs";

const SERIAL_KEPT_CHARS = 4 << 20;
const SOCKETS = ["agent", "qmp", "serial"];

export class Machine {
  /** What the console has shown since power-on. */
  serial = "";
  /** The running boot's id, once the guest agent has spoken; empty before. */
  bootId = "";
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #qemu;
  /** @type {AgentLink | undefined} */
  #link;
  /** @type {Qmp | undefined} */
  #qmp;
  /** @type {import("node:net").Socket | undefined} */
  #console;
  /** @type {Set<() => void>} */
  #watchers = new Set();
  #said = "";
  #dir;
  #name;
  #serialLogFile;

  /** @param {string} name @param {string} dir short path, for the sockets @param {string} serialLogFile named in errors */
  constructor(name, dir, serialLogFile) {
    this.#name = name;
    this.#dir = dir;
    this.#serialLogFile = serialLogFile;
  }

  /** QEMU's resident memory now. */
  get residentMb() {
    const status = readFileSync(`/proc/${this.#qemu?.pid}/status`, "utf8");
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }

  /** The guest agent, which must have spoken. */
  get link() {
    if (this.#link === undefined || this.bootId === "")
      throw this.error("the guest agent does not answer");
    return this.#link;
  }

  get qmp() {
    if (this.#qmp === undefined || this.#qemu === undefined)
      throw this.error("QEMU is not running");
    return this.#qmp;
  }

  /** Types on the console. @param {string} text */
  type(text) {
    this.#console?.write(text);
  }

  /** Starts QEMU; returns before the guest has done anything. @param {readonly string[]} args */
  async powerOn(args) {
    if (this.#qemu !== undefined) throw this.error("the VM is on");
    this.serial = "";
    this.bootId = "";
    this.#said = "";
    const servers = await Promise.all(SOCKETS.map((name) => this.#listen(name)));
    const command = ["--pdeathsig", "KILL", "--", "qemu-system-x86_64", ...args];
    const qemu = spawn("setpriv", command, { stdio: ["ignore", "pipe", "pipe"] });
    this.#qemu = qemu;
    for (const stream of [qemu.stdout, qemu.stderr]) {
      stream.on("data", (bytes) => {
        this.#said += bytes;
      });
    }
    const ended = (/** @type {unknown} */ why) => {
      this.#said += why instanceof Error ? `${why.message}\n` : "";
      this.#qemu = undefined;
      for (const server of servers) server.close();
      this.#wake();
    };
    qemu.once("exit", ended);
    qemu.once("error", ended);
  }

  /** Kills QEMU and waits until it is gone. */
  async powerOff() {
    this.bootId = "";
    const qemu = this.#qemu;
    if (qemu === undefined) return;
    const gone = once(qemu, "exit");
    qemu.kill("SIGKILL");
    await gone;
  }

  /** The reset button. */
  async reset() {
    this.bootId = "";
    this.#link?.restart("the VM was reset");
    await this.qmp.send("system_reset");
  }

  /**
   * Waits until `seen` gives a value; fails when QEMU ends or time is up.
   * @template T
   * @param {string} what @param {number} timeoutMs @param {() => T | undefined} seen looked at after each change
   * @returns {Promise<T>}
   */
  until(what, timeoutMs, seen) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const value = seen();
        if (value !== undefined) stop(() => resolve(value));
        else if (this.#qemu === undefined)
          stop(() => reject(this.error(`${what}: QEMU has ended`)));
      };
      const late = () => stop(() => reject(this.error(`${what}: not within ${timeoutMs} ms`)));
      const timer = setTimeout(late, timeoutMs);
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

  /** An error that shows what QEMU said and the end of the console. @param {string} message */
  error(message) {
    const tail = this.serial.split("\n").slice(-25).join("\n");
    return new Error(
      `${this.#name}: ${message}\n${this.#said}${tail}\n(whole console: ${this.#serialLogFile})`,
    );
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
          this.bootId = bootId;
          this.#wake();
        });
        return;
      case "qmp":
        this.#qmp = new Qmp(socket, (event) => {
          if (event !== "RESET") return;
          this.bootId = "";
          this.#link?.restart("the VM was reset");
        });
        this.#qmp.send("qmp_capabilities").catch(() => {}); // a QEMU that ends at once is told by `until`
        return;
      default:
        this.#console = socket;
        socket.setEncoding("utf8").on("error", () => {});
        socket.on("data", (text) => {
          this.serial = (this.serial + text).slice(-SERIAL_KEPT_CHARS);
          this.#wake();
        });
    }
  }

  #wake() {
    for (const look of [...this.#watchers]) look();
  }
}
