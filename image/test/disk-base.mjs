// What the long tests of installed disks start from: a disk whose slot A is proven, and the same with a spoilt slot B that starts next.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bootDisk,
  bundleOf,
  LONG,
  makeDisk,
  mediumOf,
  overlayOf,
  proofOf,
  untilOff,
} from "./disk.mjs";
import { newerRoot, rootOf, spoiltRoot } from "./disk-roots.mjs";
import { command } from "./host.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

export const VERY_LONG = 1_800_000;
export const MOUNT = "mkdir -p /run/b && mount -o ro /dev/disk/by-id/virtio-disk1 /run/b";

/** The disks, and every machine that was started from one; `close` ends and removes all of it. */
export class DiskBase {
  dir = "";
  root = "";
  proven = "";
  #medium = "";
  /** @type {Set<Vm>} */
  #running = new Set();

  /** Starts one machine, until its slot has proved itself, and shuts it down. */
  async make() {
    this.dir = await mkdtemp(join(tmpdir(), "aaos-matrix-"));
    this.root = await rootOf();
    this.proven = join(this.dir, "proven.raw");
    await makeDisk(this.root, this.proven);
    const bundles = join(this.dir, "bundles");
    await mkdir(bundles);
    const made = {
      newer: await newerRoot(this.root, "90.0.0"),
      spoilt: await spoiltRoot(this.root, "91.0.0"),
    };
    for (const [name, root] of Object.entries(made))
      await command("cp", [await bundleOf(root, name), join(bundles, `${name}.raucb`)]);
    this.#medium = join(this.dir, "bundles.img");
    await mediumOf(bundles, this.#medium);
    await rm(bundles, { recursive: true });
    const vm = await this.boot(this.proven, { name: "matrix-first" });
    assert.match(await proofOf(vm), /works and is kept/);
    await this.off(vm);
  }

  /** A proven disk whose other slot is spoilt and starts next. */
  async spoilt() {
    const disk = await this.copy("spoilt");
    const vm = await this.boot(disk, { name: "matrix-spoil" });
    await proofOf(vm);
    await vm.must(`${MOUNT} && agentd system upgrade /run/b/spoilt.raucb`, LONG);
    await this.off(vm);
    return disk;
  }

  /** A disk that begins as another one is. @param {string} name @param {string} [from] */
  async copy(name, from = this.proven) {
    const disk = join(this.dir, `${name}.qcow2`);
    await overlayOf(from, disk);
    return disk;
  }

  /** @param {string} disk @param {Parameters<typeof bootDisk>[1]} spec */
  async boot(disk, spec) {
    return this.owned(await bootDisk(disk, { timeoutMs: VERY_LONG, ...spec }, [this.#medium]));
  }

  /** @param {Vm} vm */
  owned(vm) {
    this.#running.add(vm);
    return vm;
  }

  /** Shuts it down from inside, and lets go of it. @param {Vm} vm */
  async off(vm) {
    await untilOff(vm);
    await vm.close();
    this.#running.delete(vm);
  }

  async close() {
    for (const vm of this.#running) await vm.close();
    if (this.dir !== "") await rm(this.dir, { recursive: true, force: true });
  }
}
