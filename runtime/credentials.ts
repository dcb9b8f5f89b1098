import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "./base/error-text.js";
import { Name } from "./protocol/ids.js";

/** The unit loads the folder of credentials whole, as `aaos`; systemd puts that before the name of each file. systemd.exec(5). */
const FOLDER_PREFIX = "aaos_";

export interface CredentialSources {
  /** `$CREDENTIALS_DIRECTORY`, where systemd puts the credentials of the unit. */
  readonly credentialsDirectory: string | undefined;
  /** `/etc/aaos/credentials`, one secret a file. */
  readonly credentialsDir: string;
  /** Keys of the environment file, by credential name. */
  readonly keys: Readonly<Record<string, string | undefined>>;
}

/** The secret called `name`, from the first place that has one; white space around it is no part of it. */
export function readCredential(name: string, sources: CredentialSources): string | undefined {
  if (!Name.safeParse(name).success) return undefined;
  const { credentialsDirectory, credentialsDir, keys } = sources;
  const ofUnit =
    credentialsDirectory === undefined
      ? []
      : [join(credentialsDirectory, name), join(credentialsDirectory, FOLDER_PREFIX + name)];
  for (const file of [...ofUnit, join(credentialsDir, name)]) {
    const secret = readSecret(file);
    if (secret !== undefined) return secret;
  }
  return nonBlank(keys[name]);
}

function readSecret(file: string): string | undefined {
  try {
    return nonBlank(readFileSync(file, "utf8"));
  } catch (thrown) {
    const errno = errnoOf(thrown);
    // The daemon is not root: a file that only root may read comes to it through systemd instead.
    if (errno === "ENOENT" || errno === "EACCES" || errno === "ENOTDIR") return undefined;
    throw thrown;
  }
}

function nonBlank(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed === "" ? undefined : trimmed;
}
