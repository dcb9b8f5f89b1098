import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dataVolumeTrouble } from "./data-volume.js";

let root: string;
const at = (path: string) => join(root, path);
const put = (path: string, text: string) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};
const mounted = (options: string) =>
  put(
    "/proc/mounts",
    `overlay / overlay ro 0 0\n/dev/vda8 /mnt/data ext4 ${options} 0 0\n/dev/vda8 /home ext4 rw 0 0\n`,
  );
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "aaos-volume-"));
  put("/run/aaos/disk/data", "");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a volume that is written to is well; a machine without one too", () => {
  expect(dataVolumeTrouble(at)).toBeNull();
  mounted("rw,noatime,errors=remount-ro");
  put("/sys/fs/ext4/vda8/errors_count", "0\n");
  expect(dataVolumeTrouble(at)).toBeNull();
});

test("a folder of that name on a machine that is no installed disk is not judged", () => {
  rmSync(at("/run/aaos/disk/data"));
  mounted("ro");
  expect(dataVolumeTrouble(at)).toBeNull();
});

test.each(["ro,noatime", "rw,noatime,emergency_ro"])(
  "one that an error made read-only is told (%s)",
  (options) => {
    mounted(options);
    expect(dataVolumeTrouble(at)).toMatch(/read-only/);
  },
);

test("where the kernel says neither, its count of errors does", () => {
  mounted("rw,noatime");
  put("/sys/fs/ext4/vda8/errors_count", "3\n");
  expect(dataVolumeTrouble(at)).toMatch(/^3 errors/);
});
