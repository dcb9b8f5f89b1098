import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync } from "node:fs";
import { writeFileWhole } from "./appliance/write-file.js";
import { errnoOf } from "./base/error-text.js";

/** The bearer token of the loopback listener: the operator's credential `mcp`, or one that is made once and kept in `file`, 0600. */
export function mcpToken(file: string, credential: string | undefined): string {
  if (credential !== undefined) return credential;
  const kept = readKept(file);
  if (kept !== "") return kept;
  const made = randomBytes(32).toString("base64url");
  writeFileWhole(file, `${made}\n`, { mode: 0o600 });
  return made;
}

/** `""` where there is none, or a power cut emptied it. */
function readKept(file: string): string {
  try {
    chmodSync(file, 0o600);
    return readFileSync(file, "utf8").trim();
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
    return "";
  }
}
