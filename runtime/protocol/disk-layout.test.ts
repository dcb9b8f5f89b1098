import { expect, test } from "vitest";
import { diskLayout, MIN_DISK_BYTES, partition, sfdiskScript } from "./disk-layout.js";

const GIB = 2 ** 30;

test("partitions lie one behind the other, on whole MiB, within the disk, and keep their numbers", () => {
  for (const size of [MIN_DISK_BYTES, 20 * GIB, 32_000_000_000, 500 * GIB + 12_345 * 512]) {
    const layout = diskLayout(size);
    expect(layout.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    let end = 2 ** 20;
    for (const { startBytes, sizeBytes } of layout) {
      expect(startBytes).toBeGreaterThanOrEqual(end);
      expect(startBytes % 2 ** 20).toBe(0);
      expect(sizeBytes % 2 ** 20).toBe(0);
      end = startBytes + sizeBytes;
    }
    expect(end).toBeLessThanOrEqual(size - 2 ** 20);
  }
});

test("the smallest disk has 3 GiB for data; a roomy one larger slots", () => {
  expect(partition(diskLayout(MIN_DISK_BYTES), 8).sizeBytes).toBeGreaterThan(3 * GIB);
  expect(partition(diskLayout(MIN_DISK_BYTES), 4).sizeBytes).toBe(2 * GIB);
  expect(partition(diskLayout(64 * GIB), 4).sizeBytes).toBe(4 * GIB);
});

test("GRUB's core lies where the MBR looks for it", () => {
  expect(sfdiskScript(diskLayout(MIN_DISK_BYTES))).toContain("1: start=2048, size=2048, ");
});
