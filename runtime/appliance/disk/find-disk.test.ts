import { expect, test } from "vitest";
import { chooseDisk, type Disk, readListing } from "./find-disk.js";

const GIB = 2 ** 30;
const empty = {
  ro: false,
  model: null,
  serial: null,
  fstype: null,
  partlabel: null,
  mountpoints: [null],
};
const disk = (path: string, more: object = {}) => ({
  ...empty,
  path,
  type: "disk",
  size: 20 * GIB,
  ...more,
});
const part = (path: string, at: string | null) => ({
  ...{ ...empty, path, type: "part", size: GIB, fstype: "ext4", mountpoints: [at] },
});
const read = (...blockdevices: object[]): readonly Disk[] =>
  readListing(JSON.stringify({ blockdevices }));

test("what is mounted, too small, read-only, or the running system's is refused, each with its reason", () => {
  const disks = read(
    disk("/dev/sda", { children: [part("/dev/sda1", "/run/live/medium")] }),
    disk("/dev/sdb", { children: [part("/dev/sdb1", null), part("/dev/sdb2", "/srv")] }),
    disk("/dev/sdc", { size: 4 * GIB }),
    disk("/dev/sdd", { ro: true }),
    disk("/dev/sde", { children: [part("/dev/sde5", "[SWAP]")] }),
    disk("/dev/zram0"),
    { ...empty, path: "/dev/sr0", type: "rom", size: GIB },
  );
  expect(disks.map(({ refusal }) => refusal)).toEqual([
    "is the one that this system runs from",
    "is in use: /srv",
    "is too small: 4.0 GiB, at least 8.0 GiB are needed",
    "cannot be written to",
    "is in use: [SWAP]",
  ]);
  for (const { path } of disks)
    expect(() => chooseDisk(disks, path)).toThrow(expect.objectContaining({ code: "usage" }));
});

test("a disk is meant by its path or its serial number; auto is the only one that can be", () => {
  const one = disk("/dev/nvme0n1", { serial: "S1", children: [part("/dev/nvme0n1p1", null)] });
  const used = disk("/dev/sda", { children: [part("/dev/sda1", "/")] });
  expect(chooseDisk(read(one, used), "auto").path).toBe("/dev/nvme0n1");
  expect(chooseDisk(read(one, used), "serial:S1").holds).toEqual(["/dev/nvme0n1p1: ext4, 1.0 GiB"]);
  expect(() => chooseDisk(read(one, disk("/dev/sdb")), "auto")).toThrow(/more than one/);
  const twin = disk("/dev/sdb", { serial: "S1" });
  expect(() => chooseDisk(read(one, twin), "serial:S1")).toThrow(/more than one disk is serial:S1/);
  expect(chooseDisk(read(one, twin), "/dev/sdb").path).toBe("/dev/sdb");
  expect(() => chooseDisk(read(used), "auto")).toThrow(/no disk can be/);
  expect(() => chooseDisk(read(one), "/dev/sdz")).toThrow(/no disk \/dev\/sdz/);
});
