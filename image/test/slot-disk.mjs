// A disk as an installed appliance has it, without a boot loader: the partitions by their numbers, the root's squashfs in slot A, an
// empty data volume. QEMU starts the kernel that lies in the squashfs, as the boot chooser will.
import { join } from "node:path";
import { command, output, partition } from "./host.mjs";

const SLOT_MIB = 640;
const DATA_MIB = 1024;
const SLOT_PARTUUID = "a05a05a0-0000-4000-8000-000000000004";

/**
 * @param {string} root as disk-roots.mjs finds it @param {string} dir for the files
 * @returns {Promise<{kernel: string, initrd: string, append: string[], disks: string[]}>}
 */
export async function slotDisk(root, dir) {
  const squashfs = join(root, "root.squashfs");
  const boot = join(dir, "boot");
  await command("unsquashfs", ["-quiet", "-no-progress", "-dest", boot, squashfs, "boot"]);
  const names = (await output("ls", [join(boot, "boot")])).split("\n");
  /** @param {string} prefix */
  const file = (prefix) => join(boot, "boot", names.find((name) => name.startsWith(prefix)) ?? "");
  const disk = join(dir, "slot-disk.img");
  const [slotAt, dataAt] = [16, 16 + SLOT_MIB * 2];
  await command("truncate", ["-s", `${dataAt + DATA_MIB + 16}M`, disk]);
  const table = [
    "label: gpt",
    `3: start=8MiB, size=8MiB`,
    `4: start=${slotAt}MiB, size=${SLOT_MIB}MiB, uuid=${SLOT_PARTUUID}`,
    `5: start=${slotAt + SLOT_MIB}MiB, size=${SLOT_MIB}MiB`,
    `8: start=${dataAt}MiB, size=${DATA_MIB}MiB`,
  ];
  await partition(disk, table);
  await command("dd", [
    ...[`if=${squashfs}`, `of=${disk}`, "bs=1M", `seek=${slotAt}`],
    ...["conv=notrunc,sparse", "status=none"],
  ]);
  const data = join(dir, "data.img");
  await command("mke2fs", ["-q", "-F", "-t", "ext4", data, `${DATA_MIB}M`]);
  await command("dd", [
    ...[`if=${data}`, `of=${disk}`, "bs=1M", `seek=${dataAt}`],
    ...["conv=notrunc,sparse", "status=none"],
  ]);
  return {
    kernel: file("vmlinuz-"),
    initrd: file("initrd.img-"),
    append: [`root=PARTUUID=${SLOT_PARTUUID}`, "rootfstype=squashfs ro boot=local rauc.slot=A"],
    disks: [disk],
  };
}
