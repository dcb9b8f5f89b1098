import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * Whether somebody can come in: by a file that provisioned the machine, a key that sshd takes, or a password that the console takes.
 * Such a machine is past its first boot.
 */
export function isSetUp(at: (path: string) => string): boolean {
  if (existsSync(at("/etc/aaos/aaos.yaml"))) return true;
  const keys = at("/etc/aaos/ssh/authorized_keys.d");
  if (existsSync(keys) && readdirSync(keys).length > 0) return true;
  try {
    return /^aaos:\$/m.test(readFileSync(at("/etc/shadow"), "utf8"));
  } catch {
    return false;
  }
}
