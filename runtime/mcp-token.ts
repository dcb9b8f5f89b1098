import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { errnoOf } from "./base/error-text.js";

/** The bearer token of the loopback listener: the operator's credential `mcp`, or one that is made once and kept in `file`, 0600. */
export function mcpToken(file: string, credential: string | undefined): string {
  if (credential !== undefined) return credential;
  try {
    writeFileSync(file, `${randomBytes(32).toString("base64url")}\n`, { flag: "wx", mode: 0o600 });
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
    chmodSync(file, 0o600);
  }
  return readFileSync(file, "utf8").trim();
}
