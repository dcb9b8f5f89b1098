import { mkdirSync, readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { withUsbVolume } from "../disk/usb-volume.js";
import type { VerbContext } from "../verb.js";

/** On the data volume: RAUC works in a mount namespace of its own, and a stick may be pulled out. */
const COPY = "/mnt/data/upgrades/usb.raucb";
const OP = "read the USB volume";

/** Copies the bundle from the volume, lets go of that, and uses the copy. `name` is a file in its top folder; `*` the only bundle there. */
export async function withBundleFromUsb<T>(
  volume: string,
  name: string,
  { machine, progress }: VerbContext,
  use: (file: string) => Promise<T>,
): Promise<T> {
  const copy = machine.at(COPY);
  // What a power cut left of an earlier copy takes the room of this one.
  rmSync(copy, { force: true });
  try {
    await withUsbVolume(machine, { wanted: volume, write: false }, async (folder) => {
      const file = join(folder, onlyBundle(readdirSync(folder), name));
      mkdirSync(join(copy, ".."), { recursive: true, mode: 0o700 });
      const { bavail, bsize } = statfsSync(join(copy, ".."));
      const { size } = statSync(file);
      if (size > bavail * bsize)
        throw new AgentdError(
          "disk_full",
          OP,
          `${basename(file)} has ${size} bytes, the data volume room for ${bavail * bsize}`,
        );
      progress(`copying ${basename(file)}`);
      await copyFile(file, copy);
    });
    return await use(copy);
  } finally {
    rmSync(copy, { force: true });
  }
}

/** Throws `usage` with what there is. */
export function onlyBundle(names: readonly string[], wanted: string): string {
  const bundles = names.filter((name) => name.endsWith(".raucb")).sort();
  const meant = wanted === "*" ? bundles : bundles.filter((name) => name === basename(wanted));
  const [first, second] = meant;
  if (first !== undefined && second === undefined) return first;
  const message =
    first === undefined
      ? `there is no bundle ${wanted === "*" ? "(*.raucb)" : wanted} in its top folder`
      : "there is more than one bundle on it";
  throw new AgentdError("usage", OP, message, {
    hint: `Bundles on it: ${bundles.join(", ") || "none"}. usb:LABEL/NAME names one.`,
  });
}
