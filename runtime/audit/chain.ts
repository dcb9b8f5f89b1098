import { createHash } from "node:crypto";
import canonicalize from "canonicalize";

/** Where the chain stands: the last event's number and hash (hex). */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first event: 32 zero bytes. */
export const GENESIS: ChainHead = { seq: 0, hash: "0".repeat(64) };

/** RFC 8785. Throws for what JSON cannot hold. */
export function canonicalJson(value: object): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("value has no JSON form");
  return text;
}

/** SHA-256(salt ‖ canonical JSON), hex. The salt goes when the content goes, so that a short secret cannot be guessed from it. */
export function payloadDigest(saltHex: string, payloadJson: string): string {
  return createHash("sha256").update(Buffer.from(saltHex, "hex")).update(payloadJson).digest("hex");
}

/** SHA-256(32 bytes of the hash before ‖ canonical JSON of the envelope with the payload's digest), hex. */
export function linkHash(
  prevHash: string,
  envelope: Readonly<Record<string, string | number>>,
  digest: string,
): string {
  return createHash("sha256")
    .update(Buffer.from(prevHash, "hex"))
    .update(canonicalJson({ ...envelope, payload_digest: digest }))
    .digest("hex");
}
