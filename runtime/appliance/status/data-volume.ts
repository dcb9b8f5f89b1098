import { existsSync } from "node:fs";
import { basename } from "node:path";
import { textIfThere } from "../if-there.js";
import { mountedAt } from "./mounted-at.js";

const VOLUME = "/mnt/data";
/** The initramfs of an installed disk makes it; on another machine the folder is somebody else's. */
const PARTITION = "/run/aaos/disk/data";

/**
 * What has become of the data volume since it was mounted; null where it is well, or there is none. On an error ext4 stops writing:
 * older kernels say so by the option `ro`, later ones by `emergency_ro`, and those between by their count of errors alone
 * (/sys/fs/ext4/DEVICE/errors_count), which a repair at the next start sets back to 0.
 */
export function dataVolumeTrouble(at: (path: string) => string): string | null {
  if (!existsSync(at(PARTITION))) return null;
  const mount = mountedAt(at, VOLUME);
  if (mount === undefined) return null;
  const { device, type, options } = mount;
  const isReadOnly = options.some((word) => word === "ro" || word === "emergency_ro");
  if (isReadOnly) return "it is read-only: nothing can be written since an error of its disk";
  const count = Number(textIfThere(at(`/sys/fs/${type}/${basename(device)}/errors_count`)) ?? 0);
  return count > 0 ? `${count} errors of its file system: what is written may be lost` : null;
}
