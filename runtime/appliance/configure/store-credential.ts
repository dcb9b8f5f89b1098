import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Places } from "../../protocol/places.js";
import { writeAtomic } from "../write-atomic.js";

/** systemd looks here for encrypted credentials that a unit imports. systemd.exec(5), ImportCredential=. */
const ENCRYPTED_STORE = "/etc/credstore.encrypted";
/** The unit imports `aaos_*`; the daemon strips it. */
const UNIT_PREFIX = "aaos_";

/** Where a secret was put. */
export interface StoredCredential {
  readonly name: string;
  readonly file: string;
  readonly encrypted: boolean;
}

/**
 * Keeps the secret under `name`: encrypted with the machine's own key, where systemd runs this machine and can, for only there does
 * the daemon get it back; else as a file that root alone may read. Only one of the two is left.
 */
export async function storeCredential(
  name: string,
  secret: string,
  { root, credentialsDir }: Pick<Places, "root" | "credentialsDir">,
): Promise<StoredCredential> {
  const plain = join(credentialsDir, name);
  const encrypted = join(ENCRYPTED_STORE, UNIT_PREFIX + name);
  if (root === "/" && existsSync("/run/systemd/system")) {
    mkdirSync(ENCRYPTED_STORE, { recursive: true, mode: 0o700 });
    const sealed = await encrypt(UNIT_PREFIX + name, secret);
    if (sealed !== undefined) {
      writeAtomic(encrypted, sealed, 0o600);
      rmSync(plain, { force: true });
      return { name, file: encrypted, encrypted: true };
    }
    rmSync(encrypted, { force: true });
  }
  mkdirSync(credentialsDir, { recursive: true, mode: 0o700 });
  chmodSync(credentialsDir, 0o700);
  writeAtomic(plain, `${secret}\n`, 0o600);
  return { name, file: plain, encrypted: false };
}

/** What systemd-creds(1) makes of the secret; undefined where it is absent or has no key. The secret goes through a pipe alone. */
async function encrypt(name: string, secret: string): Promise<string | undefined> {
  const child = spawn("systemd-creds", ["encrypt", `--name=${name}`, "-", "-"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  let sealed = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    sealed += chunk;
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(secret);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code === 0 && sealed !== "" ? sealed : undefined;
  } catch {
    return undefined;
  }
}
