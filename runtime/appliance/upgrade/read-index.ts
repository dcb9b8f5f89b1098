import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import { ChannelIndex, type ChannelName } from "../../protocol/channel.js";
import type { Machine } from "../machine.js";
import { writeFileWhole } from "../write-file.js";

/** Whom this machine trusts: bundles and indexes are signed under the same authorities. */
const KEYRING = "/etc/rauc/keyring.pem";
/** What was seen of each channel: neither slot goes back behind it. */
const SEEN_DIR = "/var/lib/aaos-system/channels";
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
const OP = "read channel";

const Seen = z.object({ serial: z.int(), retired: z.array(z.string()) });
type Seen = z.infer<typeof Seen>;

/**
 * The index of a channel, out of its signature: made by a certificate for code signing, under an authority that this image trusts, not
 * retired; of this channel, not expired, and not older than one that was seen before. Throws `invalid_file` with the reason. Remembers
 * what it has seen.
 */
export async function readIndex(
  machine: Machine,
  channel: ChannelName,
  signed: Buffer,
  now: Date,
): Promise<ChannelIndex> {
  const seenFile = machine.at(join(SEEN_DIR, `${channel}.json`));
  const seen = readSeen(seenFile);
  const { text, signer } = await verified(machine, signed);
  if (seen.retired.includes(signer)) throw refusal("it is signed with a key that was retired");
  const parsed = ChannelIndex.safeParse(jsonOf(text));
  if (!parsed.success)
    throw refusal("its content is not that of an index", "It may be for a newer aaOS.");
  const index = parsed.data;
  if (index.channel !== channel) throw refusal(`it is the index of "${index.channel}"`);
  if (Date.parse(index.expires) <= now.getTime())
    throw refusal(
      `it expired at ${index.expires}`,
      "Its host has no newer one, or the clock of this machine is wrong (`timedatectl`).",
    );
  if (index.serial < seen.serial)
    throw refusal(`its serial is ${index.serial}; ${seen.serial} was seen before`);
  if (index.retired.includes(signer)) throw refusal("it retires the key that signed it");
  const retired = [...new Set([...seen.retired, ...index.retired])];
  writeFileWhole(seenFile, `${JSON.stringify({ serial: index.serial, retired })}\n`, {
    mode: 0o600,
    dirMode: 0o700,
  });
  return index;
}

/** The signed content, and the SHA-256 of the certificate that signed it. */
async function verified(
  machine: Machine,
  signed: Buffer,
): Promise<{ readonly text: string; readonly signer: string }> {
  const dir = mkdtempSync(join(machine.at("/run"), ".aaos-index-"));
  const file = (name: string) => join(dir, name);
  try {
    writeFileSync(file("index"), signed);
    // `any` leaves the certificate's purpose to us: OpenSSL 3.0 knows none for code.
    const args = ["cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"];
    const trust = ["-CAfile", machine.at(KEYRING), "-no-CApath", "-no-CAstore"];
    const out = ["-in", file("index"), "-out", file("text"), "-signer", file("signer")];
    const { status, stderr } = await machine.run("openssl", [...args, ...trust, ...out]);
    if (status !== 0)
      throw refusal(`its signature is not one that this machine trusts (${lastLine(stderr)})`);
    // One signer: several would each need to be judged.
    const pem = readFileSync(file("signer"), "utf8");
    if (pem.split("BEGIN CERTIFICATE").length !== 2) throw refusal("it has more than one signer");
    const certificate = new X509Certificate(pem);
    if (!certificate.keyUsage.includes(CODE_SIGNING))
      throw refusal("it is signed with a certificate that is not for code");
    const signer = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
    return { text: readFileSync(file("text"), "utf8"), signer };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function readSeen(file: string): Seen {
  if (!existsSync(file)) return { serial: 0, retired: [] };
  return Seen.parse(JSON.parse(readFileSync(file, "utf8")));
}

function refusal(
  why: string,
  hint = "Nothing was changed; tell whoever hosts the channel.",
): AgentdError {
  return new AgentdError("invalid_file", OP, `the index of the channel is refused: ${why}`, {
    hint,
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.split(":").at(-1)?.trim() ?? "";
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
