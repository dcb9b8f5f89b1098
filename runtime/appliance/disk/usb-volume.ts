import { mkdirSync, rmdirSync } from "node:fs";
import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import { type Machine, mustRun } from "../machine.js";

const MOUNT_POINT = "/run/aaos/usb";
const OP = "open the USB volume";
const FILE_SYSTEMS = new Set(["vfat", "exfat", "ext2", "ext3", "ext4", "iso9660", "ntfs"]);

interface Device {
  readonly path: string;
  readonly tran?: string | null | undefined;
  readonly fstype?: string | null | undefined;
  readonly label?: string | null | undefined;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly Device[] | undefined;
}
const Device: z.ZodType<Device> = z.object({
  path: z.string(),
  tran: z.string().nullish(),
  fstype: z.string().nullish(),
  label: z.string().nullish(),
  mountpoints: z.array(z.string().nullable()),
  get children() {
    return z.array(Device).optional();
  },
});
const Listing = z.object({ blockdevices: z.array(Device) });

/** A file system on a disk that hangs on USB, and is not in use. */
export interface UsbVolume {
  readonly path: string;
  readonly label: string;
}

/** The USB volumes in what lsblk(8) said. */
export function usbVolumes(text: string): readonly UsbVolume[] {
  const { blockdevices } = Listing.parse(JSON.parse(text));
  return blockdevices
    .filter(({ tran }) => tran === "usb")
    .flatMap((disk) => [disk, ...(disk.children ?? [])])
    .filter(
      ({ fstype, mountpoints }) =>
        FILE_SYSTEMS.has(fstype ?? "") && mountpoints.every((at) => at === null),
    )
    .map(({ path, label }) => ({ path, label: label ?? "" }));
}

/** The volume of that label or device; for `""` the only one there is. Throws `usage` with what there is. */
export function chooseVolume(volumes: readonly UsbVolume[], wanted: string): UsbVolume {
  const meant =
    wanted === ""
      ? volumes
      : volumes.filter(({ path, label }) => path === wanted || label === wanted);
  const [first, second] = meant;
  if (first !== undefined && second === undefined) return first;
  const list = volumes.map(({ path, label }) => (label === "" ? path : `${label} (${path})`));
  const message =
    first === undefined
      ? `no USB volume${wanted === "" ? "" : ` ${wanted}`}`
      : "more than one USB volume could be meant";
  throw new AgentdError("usage", OP, message, {
    hint: `Volumes here: ${list.join(", ") || "none"}. usb:LABEL names one.`,
  });
}

/** Mounts it for as long as `use` takes. What was written is on the medium when this settles. */
export async function withUsbVolume<T>(
  machine: Machine,
  { wanted, write }: { readonly wanted: string; readonly write: boolean },
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const columns = "PATH,TRAN,FSTYPE,LABEL,MOUNTPOINTS";
  const volume = chooseVolume(
    usbVolumes(await mustRun(machine, "lsblk", ["--json", "--output", columns])),
    wanted,
  );
  const at = machine.at(MOUNT_POINT);
  mkdirSync(at, { recursive: true, mode: 0o700 });
  const options = `${write ? "rw" : "ro"},nosuid,nodev,noexec`;
  await mustRun(machine, "mount", ["-o", options, volume.path, at]);
  try {
    return await use(at);
  } finally {
    await mustRun(machine, "umount", [at]);
    rmdirSync(at);
  }
}
