import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { syncDirectory } from "../../store/sync-directory.js";
import { credentialFiles, sealedName } from "../credential-files.js";
import type { Verb, VerbContext } from "../verb.js";
import { writeFileWhole } from "../write-file.js";

/** Sealed for this machine (TPM, or the key of systemd) where that works, else in plain for root alone. One of the two, never both. */
export const setCredential: Verb<"set-credential"> = async ({ name, secret }, context) => {
  const { at } = context.machine;
  const { plain, sealed } = credentialFiles(name);
  const cipher = await seal(name, secret, context);
  const [file, other, text, dirMode] =
    cipher === undefined ? [plain, sealed, `${secret}\n`, 0o700] : [sealed, plain, cipher, 0o700];
  writeFileWhole(at(file), text, { mode: 0o600, dirMode });
  remove(at(other));
  return { file, encrypted: cipher !== undefined };
};

/** The sealed form, or undefined where this machine cannot seal; a secret goes in by a pipe, never by an argument. */
async function seal(
  name: string,
  secret: string,
  { machine, signal }: VerbContext,
): Promise<string | undefined> {
  if (!machine.has("systemd-creds")) return undefined;
  const args = ["encrypt", `--name=${sealedName(name)}`, "-", "-"];
  const { status, stdout } = await machine.run("systemd-creds", args, { stdin: secret, signal });
  return status === 0 && stdout !== "" ? stdout : undefined;
}

function remove(file: string): void {
  try {
    rmSync(file);
  } catch {
    return; // it was not there
  }
  syncDirectory(dirname(file));
}
