import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { dirname, normalize } from "node:path";
import { errnoOf } from "../../base/error-text.js";
import type { ProvisionFile } from "../../protocol/provision-file.js";
import type { Machine } from "../machine.js";
import type { Misfit } from "./misfit.js";

/** What a file of `files` may not lie below: what the system and aaOS own. */
const CLOSED = [
  ...["/etc/aaos", "/etc/systemd", "/etc/ssh", "/etc/sudoers", "/usr", "/boot", "/proc", "/sys"],
  ...["/run", "/dev", "/bin", "/sbin", "/lib", "/var/lib/aaos"],
];
const CLOSED_FILES = new Set([
  ...["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/fstab"],
]);
/** What an installed disk lays over its read-only root (overlays/appliance, initramfs-tools' script of aaOS). */
const ON_DISK = ["/data", "/etc", "/home", "/mnt/data", "/output", "/root", "/var"];

/** Files that may not or could not be written, by what is there now; for a disk that is to be installed, by what will be. */
export function fileMisfits(file: ProvisionFile, machine: Machine): readonly Misfit[] {
  return file.files.flatMap(({ path }, i) => {
    const reason = reasonAgainst(path, file, machine);
    if (reason === undefined) return [];
    const [message, hint] = reason;
    return [{ path: ["files", i, "path"], message, hint }];
  });
}

type Reason = readonly [message: string, hint: string] | undefined;

function reasonAgainst(path: string, { files, install }: ProvisionFile, machine: Machine): Reason {
  if (isClosed(normalize(path)))
    return [`${path} belongs to the system`, "Use the fields of aaos.yaml for it."];
  const above = files.find((other) => path.startsWith(`${other.path}/`));
  if (above !== undefined)
    return [`${path} lies below another file`, `${above.path} can be one of the two.`];
  return install === undefined ? unwritable(path, machine) : notOnDisk(path);
}

function isClosed(path: string): boolean {
  return (
    CLOSED_FILES.has(path) || CLOSED.some((dir) => isBelow(path, dir) || isBelow(path, `${dir}.d`))
  );
}

function isBelow(path: string, dir: string): boolean {
  return path === dir || path.startsWith(`${dir}/`);
}

function notOnDisk(path: string): Reason {
  return ON_DISK.some((dir) => normalize(path).startsWith(`${dir}/`))
    ? undefined
    : [`${path} is read-only on an installed disk`, `Choose a place below ${ON_DISK.join(", ")}.`];
}

/** Who only validates a file may have no right to write; what nobody has is a fault of the file. */
function unwritable(path: string, machine: Machine): Reason {
  if (path.endsWith("/") || kindOf(machine.at(path)) === "directory")
    return [`${path} is a directory`, "Name a file."];
  let dir = dirname(path);
  while (kindOf(machine.at(dir)) === undefined && dir !== "/") dir = dirname(dir);
  if (kindOf(machine.at(dir)) === "file")
    return [`${dir} is no directory`, "Choose another place."];
  try {
    accessSync(machine.at(dir), constants.W_OK);
    return undefined;
  } catch (thrown) {
    return errnoOf(thrown) === "EROFS" || errnoOf(thrown) === "EPERM"
      ? [`${dir} is read-only on this machine`, `Choose a place below ${ON_DISK.join(", ")}.`]
      : undefined;
  }
}

/** A link counts as what it leads to; one that leads nowhere is in the way, as a file is. */
function kindOf(path: string): "directory" | "file" | undefined {
  try {
    return statSync(path).isDirectory() ? "directory" : "file";
  } catch {
    return existsAsLink(path) ? "file" : undefined;
  }
}

function existsAsLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
