import { expect, test } from "vitest";
import { chooseVolume, usbVolumes } from "./usb-volume.js";

const volume = (path: string, label: string | null, fstype: string | null, at: string | null) => ({
  ...{ path, label, fstype, mountpoints: [at] },
});
const listing = JSON.stringify({
  blockdevices: [
    {
      ...volume("/dev/sda", null, null, null),
      tran: "sata",
      children: [volume("/dev/sda1", "USB", "ext4", null)],
    },
    {
      ...volume("/dev/sdb", null, null, null),
      tran: "usb",
      children: [
        volume("/dev/sdb1", "STICK", "vfat", null),
        volume("/dev/sdb2", null, "swap", null),
      ],
    },
    { ...volume("/dev/sdc", "WHOLE", "exfat", null), tran: "usb" },
    { ...volume("/dev/sdd", "BUSY", "ext4", "/run/live/medium"), tran: "usb" },
  ],
});

test("volumes are file systems on disks that hang on USB and are not in use; other disks are never taken", () => {
  expect(usbVolumes(listing)).toEqual([
    { path: "/dev/sdb1", label: "STICK" },
    { path: "/dev/sdc", label: "WHOLE" },
  ]);
});

test("one is meant by its label or device, or is the only one; else what there is is told", () => {
  const volumes = usbVolumes(listing);
  expect(chooseVolume(volumes, "WHOLE").path).toBe("/dev/sdc");
  expect(chooseVolume(volumes, "/dev/sdb1").label).toBe("STICK");
  expect(chooseVolume(volumes.slice(0, 1), "").path).toBe("/dev/sdb1");
  expect(() => chooseVolume(volumes, "")).toThrow(/more than one/);
  expect(() => chooseVolume(volumes, "USB")).toThrow("no USB volume USB");
  expect(() => chooseVolume([], "")).toThrow("no USB volume");
});
