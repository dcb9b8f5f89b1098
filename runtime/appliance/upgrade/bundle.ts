import { open } from "node:fs/promises";
import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { Machine } from "../machine.js";
import { verityRoot } from "./verity-root.js";

/** A bundle whose signature RAUC has checked against the image's keyring, and whose every byte is what was signed. */
export interface Bundle {
  readonly file: string;
  readonly compatible: string;
  readonly version: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

const Info = z.object({
  update: z.object({ version: z.string(), compatible: z.string() }),
  images: z
    .array(
      z.object({ "slot-class": z.literal("root"), checksum: z.string(), size: z.int().positive() }),
    )
    .length(1),
  bundle: z.object({
    format: z.literal("verity"),
    "verity-size": z.int().positive(),
    "verity-salt": z.hex(),
    "verity-hash": z.hex(),
  }),
});

/** What RAUC says of a bundle that it refuses, and the sentence for it. The first that fits. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/Signature size is 0|no signature/i, "it is not signed, or it is no bundle"],
  [
    /issuer|self.signed|certificate purpose|has expired/i,
    "it is signed by a key that this machine does not trust",
  ],
  [/signature verification failed/i, "its signature does not fit: it was changed"],
  [/Invalid bundle format|Failed to open|too small/i, "it is truncated, or it is no bundle"],
];

/**
 * Reads a bundle, and all of it: its signature, then its content against the hash that was signed, before anything is written. Throws
 * `invalid_file` with the reason.
 */
export async function readBundle(
  machine: Machine,
  file: string,
  signal: AbortSignal,
): Promise<Bundle> {
  const { status, stdout, stderr } = await machine.run(
    "rauc",
    ["info", "--output-format=json-2", file],
    { signal },
  );
  if (status !== 0) throw refusedBundle(file, stderr);
  const info = Info.safeParse(JSON.parse(stdout));
  if (!info.success)
    throw refusedBundle(file, "its manifest is not of one system in format verity");
  const { update, images, bundle } = info.data;
  const payload = (await signedBytes(file)) - bundle["verity-size"];
  const salt = Buffer.from(bundle["verity-salt"], "hex");
  if ((await verityRoot(file, payload, salt, signal)) !== bundle["verity-hash"])
    throw refusedBundle(file, "it is damaged: its content is not what was signed");
  const [image] = images;
  if (image === undefined) throw refusedBundle(file, "its manifest names no image");
  return { file, ...update, sha256: image.checksum, sizeBytes: image.size };
}

/** What RAUC refused, in words, with its own last line. */
export function refusedBundle(file: string, said: string): AgentdError {
  const known = REFUSALS.find(([pattern]) => pattern.test(said))?.[1];
  const last = said.trim().split("\n").at(-1) ?? "";
  const message =
    known === undefined ? `${file} cannot be taken: ${last}` : `${file}: ${known} (${last})`;
  return new AgentdError("invalid_file", "read bundle", message, {
    hint: "Get the bundle again; nothing was changed.",
  });
}

/** The length without the signature at the end and the 8 bytes that say how long that is. */
async function signedBytes(file: string): Promise<number> {
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  const tail = Buffer.alloc(8);
  await handle.read(tail, 0, 8, size - 8);
  return size - 8 - Number(tail.readBigUInt64BE());
}
