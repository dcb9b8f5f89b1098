import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import { MIN_DISK_BYTES } from "../../protocol/disk-layout.js";
import { type Machine, mustRun } from "../machine.js";

interface Device {
  readonly path: string;
  readonly type: string;
  readonly size: number;
  readonly ro: boolean;
  readonly model?: string | null | undefined;
  readonly serial?: string | null | undefined;
  readonly fstype?: string | null | undefined;
  readonly partlabel?: string | null | undefined;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly Device[] | undefined;
}
const Device: z.ZodType<Device> = z.object({
  path: z.string(),
  type: z.string(),
  size: z.number(),
  ro: z.boolean(),
  model: z.string().nullish(),
  serial: z.string().nullish(),
  fstype: z.string().nullish(),
  partlabel: z.string().nullish(),
  mountpoints: z.array(z.string().nullable()),
  get children() {
    return z.array(Device).optional();
  },
});
const Listing = z.object({ blockdevices: z.array(Device) });
const COLUMNS = "PATH,TYPE,SIZE,RO,MODEL,SERIAL,FSTYPE,PARTLABEL,MOUNTPOINTS";

/** A disk that could be installed to, or why it cannot. */
export interface Disk {
  readonly path: string;
  readonly sizeBytes: number;
  readonly model: string;
  readonly serial: string;
  /** What is on it, in words, a line each; empty for a blank disk. */
  readonly holds: readonly string[];
  /** Undefined where nothing speaks against it. */
  readonly refusal: string | undefined;
}

/** Every disk of the machine. */
export async function listDisks(machine: Machine): Promise<readonly Disk[]> {
  const text = await mustRun(machine, "lsblk", ["--json", "--bytes", "--output", COLUMNS]);
  return readListing(text);
}

/** What lsblk(8) said, as disks; media, memory and loops are none. */
export function readListing(text: string): readonly Disk[] {
  const { blockdevices } = Listing.parse(JSON.parse(text));
  return blockdevices
    .filter(
      ({ type, path, size }) =>
        type === "disk" && !/^\/dev\/(zram|ram|fd|nbd)\d/.test(path) && size > 0,
    )
    .map((device) => ({
      path: device.path,
      sizeBytes: device.size,
      model: device.model?.trim() ?? "",
      serial: device.serial?.trim() ?? "",
      holds: contents(device),
      refusal: refusalOf(device),
    }));
}

/** The disk that is meant: its path, `serial:TEXT`, or `auto`, which is the only one that can be. Throws `usage` where there is none. */
export function chooseDisk(disks: readonly Disk[], wanted: string): Disk {
  const meant = disks.filter((disk) => isMeant(disk, wanted));
  if (meant.length > 1) throw refused(`more than one disk is ${wanted}`, disks);
  const found = wanted === "auto" ? onlyOne(disks) : meant[0];
  if (found === undefined) throw refused(`no disk ${wanted}`, disks);
  if (found.refusal !== undefined) throw refused(`${found.path} ${found.refusal}`, disks);
  return found;
}

function isMeant({ path, serial }: Disk, wanted: string): boolean {
  return path === wanted || (serial !== "" && wanted === `serial:${serial}`);
}

function onlyOne(disks: readonly Disk[]): Disk {
  const [first, second] = disks.filter(({ refusal }) => refusal === undefined);
  if (first === undefined) throw refused("no disk can be installed to", disks);
  if (second !== undefined) throw refused("more than one disk could be meant", disks);
  return first;
}

function refused(message: string, disks: readonly Disk[]): AgentdError {
  const list = disks.map(({ path, serial, refusal }) => {
    const name = serial === "" ? path : `${path} (serial:${serial})`;
    return refusal === undefined ? name : `${name} ${refusal}`;
  });
  return new AgentdError("usage", "choose disk", message, {
    hint: `Disks here: ${list.join("; ") || "none"}.`,
  });
}

function refusalOf(device: Device): string | undefined {
  const used = mounts(device);
  const system = used.find(
    (at) => at === "/" || at.startsWith("/run/live") || at.startsWith("/mnt/data"),
  );
  if (system !== undefined) return "is the one that this system runs from";
  if (used.length > 0) return `is in use: ${used.join(", ")}`;
  if (device.ro) return "cannot be written to";
  if (device.size < MIN_DISK_BYTES)
    return `is too small: ${gib(device.size)}, at least ${gib(MIN_DISK_BYTES)} are needed`;
  return undefined;
}

function mounts(device: Device): readonly string[] {
  const own = device.mountpoints.filter((at) => at !== null);
  return [...own, ...(device.children ?? []).flatMap(mounts)];
}

function contents(device: Device): readonly string[] {
  const own =
    device.fstype == null ? [] : [`${device.path}: ${device.fstype}, ${gib(device.size)}`];
  const parts = (device.children ?? []).map(({ path, partlabel, fstype, size }) => {
    const what = [partlabel, fstype].filter((it) => it != null && it !== "").join(", ");
    return `${path}: ${what === "" ? "unknown" : what}, ${gib(size)}`;
  });
  return [...own, ...parts];
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
