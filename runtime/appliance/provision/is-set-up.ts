import { existsSync } from "node:fs";
import { namesIfThere, textIfThere } from "../if-there.js";
import { usersOf } from "./accounts.js";

/**
 * Whether somebody can come in: by a file that provisioned the machine, a key that sshd takes, or a password that the console takes.
 * Such a machine is past its first boot. A key of an account that a factory reset took away lets nobody in.
 */
export function isSetUp(at: (path: string) => string): boolean {
  if (existsSync(at("/etc/aaos/aaos.yaml"))) return true;
  const accounts = usersOf(at);
  return (
    namesIfThere(at("/etc/aaos/ssh/authorized_keys.d")).some((name) => accounts.has(name)) ||
    /^aaos:\$/m.test(textIfThere(at("/etc/shadow")) ?? "")
  );
}
