import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openMachine } from "../machine.js";
import { onlyBundle, withBundleFromUsb } from "./bundle-from-usb.js";

test("the bundle on a stick is the one that is named, or the only one; a name leads nowhere else", () => {
  const names = ["a.raucb", "b.raucb", "notes.txt"];
  expect(onlyBundle(names, "b.raucb")).toBe("b.raucb");
  expect(onlyBundle(names.slice(1), "*")).toBe("b.raucb");
  expect(onlyBundle(names, "../../etc/a.raucb")).toBe("a.raucb");
  expect(() => onlyBundle(names, "*")).toThrow(/more than one/);
  expect(() => onlyBundle(names, "notes.txt")).toThrow(/no bundle notes.txt/);
  expect(() => onlyBundle([], "*")).toThrow(/no bundle/);
});

test("what an interrupted upgrade left of its copy is gone before the room for this one is measured", async () => {
  const root = mkdtempSync(join(tmpdir(), "aaos-usb-"));
  const copy = join(root, "mnt/data/upgrades/usb.raucb");
  try {
    mkdirSync(join(copy, ".."), { recursive: true });
    writeFileSync(copy, "left");
    const bin = join(root, "bin");
    mkdirSync(bin);
    const stick = {
      path: "/dev/sdb",
      tran: "usb",
      fstype: "vfat",
      label: "S",
      mountpoints: [null],
    };
    const programs = {
      lsblk: `echo '${JSON.stringify({ blockdevices: [stick] })}'`,
      mount: `test ! -e ${copy} && echo bundle >${root}/run/aaos/usb/a.raucb`,
      umount: `rm ${root}/run/aaos/usb/a.raucb`,
    };
    for (const [name, text] of Object.entries(programs))
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const machine = openMachine(root, [bin, "/usr/bin", "/bin"]);
    const context = { machine, signal: new AbortController().signal, progress: () => {} };
    const used = await withBundleFromUsb("S", "*", context, async (file) =>
      readFileSync(file, "utf8"),
    );
    expect(used).toBe("bundle\n");
    expect(existsSync(copy)).toBe(false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
