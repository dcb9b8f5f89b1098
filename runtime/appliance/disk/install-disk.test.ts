import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { diskLayout, MIN_DISK_BYTES, PARTITION, partition } from "../../protocol/disk-layout.js";
import { INITIAL_BOOT_STATE, parseBootState } from "../../protocol/slots.js";
import { openMachine } from "../machine.js";
import { installDisk } from "./install-disk.js";

const machine = openMachine();
const able = machine.has("sfdisk") && machine.has("mke2fs") && machine.has("debugfs");
const layout = diskLayout(MIN_DISK_BYTES);
const system = randomBytes(3_000_001);
let dir: string;
let target: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-disk-"));
  target = join(dir, "disk.raw");
  writeFileSync(target, "");
  truncateSync(target, MIN_DISK_BYTES);
  mkdirSync(join(dir, "boot"));
  for (const [name, length] of [
    ["mbr.img", 440],
    ["core.img", 100_000],
    ["esp.img", 300_000],
    ["grub.cfg", 99],
  ] as const)
    writeFileSync(join(dir, "boot", name), randomBytes(length));
  writeFileSync(join(dir, "root.squashfs"), system);
  writeFileSync(join(dir, "aaos.yaml"), "hostname: seeded\n");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const install = (signal = new AbortController().signal) =>
  installDisk(machine, {
    ...{ target, targetBytes: MIN_DISK_BYTES, isFile: true, version: "1.2.3", signal },
    ...{
      squashfs: join(dir, "root.squashfs"),
      bootDir: join(dir, "boot"),
      seed: join(dir, "aaos.yaml"),
    },
    onProgress: () => {},
  });

async function bytesAt(at: number, length: number): Promise<Buffer> {
  await using file = await open(target, "r");
  const buffer = Buffer.alloc(length);
  await file.read(buffer, 0, length, at);
  return buffer;
}

/** A file of a file system that lies in the disk. */
function fileIn(number: number, path: string): string {
  const image = join(dir, `p${number}.img`);
  const { startBytes, sizeBytes } = partition(layout, number);
  const count = sizeBytes / 2 ** 20;
  execFileSync("dd", [
    `if=${target}`,
    `of=${image}`,
    "bs=1M",
    "status=none",
    `skip=${startBytes / 2 ** 20}`,
    `count=${count}`,
    "conv=sparse",
  ]);
  truncateSync(image, sizeBytes);
  return debugfs(image, `cat ${path}`);
}

function debugfs(image: string, request: string): string {
  return execFileSync("debugfs", ["-R", request, image], {
    stdio: ["ignore", "pipe", "ignore"],
  }).toString("latin1");
}

test.runIf(able)(
  "a disk has the system in slot A, read back, the chooser's state, and what the first start needs",
  async () => {
    const sha256 = createHash("sha256").update(system).digest("hex");
    expect(await install()).toEqual({ sizeBytes: system.length, sha256 });
    const slot = await bytesAt(partition(layout, PARTITION.A).startBytes, system.length);
    expect(slot.equals(system)).toBe(true);
    const table = JSON.parse(execFileSync("sfdisk", ["--json", target]).toString()) as {
      partitiontable: { partitions: { start: number; name: string }[] };
    };
    expect(table.partitiontable.partitions.map(({ start }) => start * 512)).toEqual(
      layout.map(({ startBytes }) => startBytes),
    );
    expect((await bytesAt(0, 440)).equals(readFileSync(join(dir, "boot/mbr.img")))).toBe(true);
    expect((await bytesAt(2 ** 20, 100_000)).equals(readFileSync(join(dir, "boot/core.img")))).toBe(
      true,
    );
    expect(parseBootState(fileIn(PARTITION.boot, "/grub/grubenv"))).toEqual(INITIAL_BOOT_STATE);
    expect(JSON.parse(fileIn(PARTITION.data, "/slots/A/image.json"))).toEqual({
      version: "1.2.3",
      sha256,
      size_bytes: system.length,
    });
    expect(fileIn(PARTITION.data, "/seed/aaos.yaml")).toBe("hostname: seeded\n");
    const told = debugfs(join(dir, `p${PARTITION.data}.img`), "show_super_stats -h");
    expect(told).toMatch(/^Errors behavior: +Remount read-only$/m);
  },
);

interface Table {
  readonly partitiontable: {
    readonly id: string;
    readonly partitions: readonly { readonly uuid: string; readonly [key: string]: unknown }[];
  };
}
const tableOf = () =>
  (JSON.parse(execFileSync("sfdisk", ["--json", target]).toString()) as Table).partitiontable;
const OWN_IDS = join(import.meta.dirname, "../../../overlays/appliance/usr/lib/aaos/own-disk-ids");

test.runIf(able)(
  "a disk of an image gets IDs of its own, once: where partitions lie, the boot code and the firmware's partition stay",
  async () => {
    await install();
    // Empty, and there.
    expect(() => fileIn(PARTITION.data, "/slots/image-ids")).not.toThrow();
    expect(debugfs(join(dir, `p${PARTITION.data}.img`), "ls -p /slots")).toContain("/image-ids/");
    const marker = join(dir, "image-ids");
    const own = () => execFileSync(OWN_IDS, [target, marker], { stdio: "pipe" });
    const [before, boot] = [tableOf(), await bytesAt(0, 440)];
    own();
    expect(tableOf()).toEqual(before);
    writeFileSync(marker, "");
    own();
    const after = tableOf();
    expect(after.id).not.toBe(before.id);
    const same = after.partitions.filter(({ uuid }, n) => uuid === before.partitions[n]?.uuid);
    expect(same.map(({ name }) => name)).toEqual(["aaos-esp"]);
    const without = ({ partitions }: Table["partitiontable"]) =>
      partitions.map((it) => ({ ...it, uuid: "" }));
    expect(without(after)).toEqual(without(before));
    expect((await bytesAt(0, 440)).equals(boot)).toBe(true);
    expect(execFileSync("sfdisk", ["--verify", target]).toString()).toContain("No errors detected");
    own();
    expect(tableOf()).toEqual(after);
  },
);

test.runIf(able)(
  "an installation that was cut short leaves no partition table; done again, it is whole",
  async () => {
    await install();
    const stop = new AbortController();
    const cut = install(stop.signal);
    stop.abort();
    await expect(cut).rejects.toThrow();
    expect((await bytesAt(0, 2 ** 20)).equals(Buffer.alloc(2 ** 20))).toBe(true);
    expect((await bytesAt(MIN_DISK_BYTES - 2 ** 20, 2 ** 20)).equals(Buffer.alloc(2 ** 20))).toBe(
      true,
    );
    await install();
    expect(execFileSync("sfdisk", ["--verify", target]).toString()).toContain("No errors detected");
  },
);
