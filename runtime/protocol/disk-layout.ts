/**
 * The partitions of an installed disk. Numbers and order never change: an installed layout cannot be changed in the field. Found by
 * number on the disk that was started, never by name (`overlays/appliance`, the initramfs script). Pure.
 */
const SECTOR_BYTES = 512;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** A smaller disk has no room for two slots and work to do. */
export const MIN_DISK_BYTES = 8 * GIB;
/** From here on the slots are larger. */
const ROOMY_DISK_BYTES = 32_000_000_000;

export interface Partition {
  readonly number: number;
  readonly name: string;
  /** GPT type. */
  readonly type: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

const TYPE = {
  bios: "21686148-6449-6E6F-744E-656564454649",
  esp: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
  linux: "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
} as const;

export const PARTITION = { bios: 1, esp: 2, boot: 3, A: 4, B: 5, data: 8 } as const;

/** The layout of a disk of that size, which is at least `MIN_DISK_BYTES`. */
export function diskLayout(diskBytes: number): readonly Partition[] {
  const slot = diskBytes >= ROOMY_DISK_BYTES ? 4 * GIB : 2 * GIB;
  const wanted = [
    // GRUB's core for BIOS, at sector 2048: the MBR knows that number.
    { number: 1, name: "aaos-bios", type: TYPE.bios, sizeBytes: MIB, gapBytes: 0 },
    // Room behind it for a second one, so that the boot loader can become A/B too.
    { number: 2, name: "aaos-esp", type: TYPE.esp, sizeBytes: 128 * MIB, gapBytes: 128 * MIB },
    { number: 3, name: "aaos-boot", type: TYPE.linux, sizeBytes: 64 * MIB, gapBytes: 0 },
    { number: 4, name: "aaos-a", type: TYPE.linux, sizeBytes: slot, gapBytes: 0 },
    { number: 5, name: "aaos-b", type: TYPE.linux, sizeBytes: slot, gapBytes: 0 },
    // Reserved: kernel and root hash of a slot, once slots are verified block by block.
    { number: 6, name: "aaos-kernel-a", type: TYPE.linux, sizeBytes: 256 * MIB, gapBytes: 0 },
    { number: 7, name: "aaos-kernel-b", type: TYPE.linux, sizeBytes: 256 * MIB, gapBytes: 0 },
  ];
  const placed: Partition[] = [];
  let startBytes = MIB;
  for (const { gapBytes, ...partition } of wanted) {
    placed.push({ ...partition, startBytes });
    startBytes += partition.sizeBytes + gapBytes;
  }
  // The last MiB holds the table's copy.
  const sizeBytes = Math.floor((diskBytes - startBytes) / MIB - 1) * MIB;
  return [...placed, { number: 8, name: "aaos-data", type: TYPE.linux, startBytes, sizeBytes }];
}

/** The layout as sfdisk(8) reads it. */
export function sfdiskScript(layout: readonly Partition[]): string {
  const lines = layout.map(
    ({ number, name, type, startBytes, sizeBytes }) =>
      `${number}: start=${startBytes / SECTOR_BYTES}, size=${sizeBytes / SECTOR_BYTES}, type=${type}, name="${name}"`,
  );
  return `label: gpt\nunit: sectors\nfirst-lba: 2048\n${lines.join("\n")}\n`;
}

/** A partition by its number. */
export function partition(layout: readonly Partition[], number: number): Partition {
  const found = layout.find((it) => it.number === number);
  if (found === undefined) throw new RangeError(`the layout has no partition ${number}`);
  return found;
}
