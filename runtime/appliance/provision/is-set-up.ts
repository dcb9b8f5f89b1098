import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * Whether somebody can come in: by a file that provisioned the machine, a key that sshd takes, or a password that the console takes.
 * Such a machine is past its first boot. A key of an account that a factory reset took away lets nobody in.
 */
export function isSetUp(at: (path: string) => string): boolean {
  if (existsSync(at("/etc/aaos/aaos.yaml"))) return true;
  const keys = at("/etc/aaos/ssh/authorized_keys.d");
  const accounts = namesOf(at("/etc/passwd"));
  if (existsSync(keys) && readdirSync(keys).some((name) => accounts.has(name))) return true;
  try {
    return /^aaos:\$/m.test(readFileSync(at("/etc/shadow"), "utf8"));
  } catch {
    return false;
  }
}

function namesOf(passwd: string): ReadonlySet<string> {
  if (!existsSync(passwd)) return new Set();
  return new Set(
    readFileSync(passwd, "utf8")
      .split("\n")
      .map((line) => line.split(":")[0] ?? ""),
  );
}
