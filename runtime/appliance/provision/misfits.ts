import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ProvisionFile } from "../../protocol/provision-file.js";
import type { Machine } from "../machine.js";

export const ZONES = "/usr/share/zoneinfo";
/** What a file of `files` may not lie below: what the system and aaOS own. */
const CLOSED = [
  ...["/etc/aaos", "/etc/systemd", "/etc/ssh", "/etc/sudoers", "/usr", "/boot", "/proc", "/sys"],
  ...["/run", "/dev", "/bin", "/sbin", "/lib", "/var/lib/aaos"],
];
const CLOSED_FILES = new Set([
  ...["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/fstab"],
]);

/** A field that does not fit this machine. */
export interface Misfit {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** What the schema cannot know: this machine's time zones, and which places are closed to files. */
export function misfits({ timezone, files }: ProvisionFile, machine: Machine): readonly Misfit[] {
  const zone =
    timezone === undefined ||
    !existsSync(machine.at(ZONES)) ||
    existsSync(machine.at(join(ZONES, timezone)))
      ? []
      : [
          {
            path: ["timezone"],
            message: `there is no ${timezone} in ${ZONES}`,
            hint: "`timedatectl list-timezones` shows them.",
          },
        ];
  const closed = files.flatMap(({ path }, i) =>
    isClosed(path)
      ? [
          {
            path: ["files", i, "path"],
            message: `${path} belongs to the system`,
            hint: "Use the fields of aaos.yaml for it.",
          },
        ]
      : [],
  );
  return [...zone, ...closed];
}

function isClosed(path: string): boolean {
  return (
    CLOSED_FILES.has(path) ||
    path.split("/").includes("..") ||
    CLOSED.some((dir) => path === dir || path.startsWith(`${dir}/`) || path.startsWith(`${dir}.d/`))
  );
}
