// What the tests of the ISO share: the medium, a VM that starts from it, and an operator's SSH.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { command, missingPrograms, output, quote } from "./host.mjs";
import { bootVm, missingForVm } from "./vm.mjs";

const repo = join(import.meta.dirname, "../..");

/** Why the ISO cannot be built or started here, or undefined. @returns {string | undefined} */
export function missingForIso() {
  const missing = missingPrograms(["lb", "debootstrap", "mksquashfs", "mmdebstrap", "ssh"]);
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  if (!existsSync("/usr/share/OVMF/OVMF_CODE_4M.fd")) return "not installed: ovmf";
  return process.getuid?.() === 0 ? missingForVm() : "building the ISO needs root";
}

/** Builds the ISO, or finds it. @param {...string} words of `image/build iso` @returns {Promise<string>} */
export async function theIso(...words) {
  const path = await output(join(repo, "image/build"), ["iso", ...words]);
  return join(repo, path.trim());
}

/** A port of the loopback that nobody listens on now. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}

/**
 * Starts a machine from the ISO; returns when the guest agent speaks, which is long before the system is up.
 * @param {string} iso @param {Partial<import("./qemu.mjs").VmSpec> & {name: string}} spec
 */
export function bootIso(iso, spec) {
  return bootVm({ until: "agent", timeoutMs: 600_000, memoryMb: 2048, ...spec, iso });
}

/** Waits until systemd has started everything, and agentd answers. @param {import("./vm.mjs").Vm} vm @returns {Promise<string>} "running" or "degraded" */
export async function settled(vm) {
  const { stdout } = await vm.run("systemctl is-system-running --wait", { timeoutMs: 600_000 });
  return stdout.trim();
}

/** Seconds from the kernel's start to a unit's being active. @param {import("./vm.mjs").Vm} vm @param {string} unit */
export async function activeAfter(vm, unit) {
  const at = await vm.must(`systemctl show -P ActiveEnterTimestampMonotonic ${quote(unit)}`);
  return Number(at) / 1e6;
}

/** Everything is started, nothing has failed, and agentd answers. @param {import("./vm.mjs").Vm} vm @param {import("node:test").TestContext} t */
export async function isReady(vm, t) {
  const state = await settled(vm);
  t.diagnostic(`agentd ${await activeAfter(vm, "agentd.service")} s after the kernel's start`);
  assert.equal(state, "running", (await vm.run("systemctl --failed --no-pager")).stdout);
  assert.equal(await vm.must("systemctl is-active agentd.service"), "active\n");
}

/** An operator at another machine: SSH through a forwarded port, with a key of their own. */
export class Operator {
  #keyFile;
  #port;
  #hosts;

  /** @param {string} dir for the key and the known hosts @param {number} port @param {string} [machine] whose host keys are its own */
  constructor(dir, port, machine = "machine") {
    this.#keyFile = join(dir, "id_ed25519");
    this.#hosts = join(dir, `${machine}.known_hosts`);
    this.#port = port;
  }

  /** Makes the key; returns its public half. @returns {Promise<string>} */
  async makeKey() {
    await command("ssh-keygen", [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-C",
      "ops",
      "-f",
      this.#keyFile,
    ]);
    return (await output("cat", [`${this.#keyFile}.pub`])).trim();
  }

  /**
   * Runs a command over SSH; a failure is a value.
   * @param {string} shellCommand @param {{user?: string, options?: readonly string[], timeoutMs?: number}} [how]
   * @returns {Promise<{status: number, stdout: string, stderr: string}>}
   */
  ssh(shellCommand, { user = "aaos", options = [], timeoutMs = 300_000 } = {}) {
    const args = [
      ...["-F", "none", "-i", this.#keyFile, "-p", `${this.#port}`],
      ...["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=60"],
      ...["-o", "StrictHostKeyChecking=accept-new", "-o", `UserKnownHostsFile=${this.#hosts}`],
      ...options.flatMap((option) => ["-o", option]),
      ...[`${user}@127.0.0.1`, shellCommand],
    ];
    return new Promise((resolve) => {
      execFile(
        "ssh",
        args,
        { timeout: timeoutMs, maxBuffer: 16 << 20 },
        (error, stdout, stderr) => {
          const status = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
          resolve({ status, stdout, stderr });
        },
      );
    });
  }
}
