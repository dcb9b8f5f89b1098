import { existsSync } from "node:fs";
import { namesIfThere, textIfThere } from "../if-there.js";
import { usersOf } from "./accounts.js";
import { isApplying } from "./applying.js";

/**
 * Whether somebody can come in: by a file that provisioned the machine, a key that sshd takes, or a password that the console takes.
 * Such a machine is past its first boot. A key of an account that a factory reset took away lets nobody in, and one of a file that was
 * not applied to its end does not count.
 */
export function isSetUp(at: (path: string) => string): boolean {
  if (existsSync(at("/etc/aaos/aaos.yaml"))) return true;
  if (isApplying(at)) return false;
  const accounts = usersOf(at);
  return (
    namesIfThere(at("/etc/aaos/ssh/authorized_keys.d")).some((name) => accounts.has(name)) ||
    /^aaos:\$/m.test(textIfThere(at("/etc/shadow")) ?? "")
  );
}
