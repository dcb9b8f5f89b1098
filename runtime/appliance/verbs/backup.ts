import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { AgentdError } from "../../protocol/agentd-error.js";
import { VERSION } from "../../version.js";
import { makeBackup as pack } from "../backup/make-backup.js";
import { restoreBackup as restore } from "../backup/restore-backup.js";
import { seal } from "../backup/seal.js";
import { withUsbVolume } from "../disk/usb-volume.js";
import type { Verb, VerbCall } from "../verb.js";

type Sink = (bytes: Buffer) => Promise<void>;

export const makeBackup: Verb<"make-backup", VerbCall> = async ({ passphrase, usb }, call) => {
  const { machine, sendBytes } = call;
  if (usb === null) return { file: null, ...(await write(passphrase, call, sendBytes)) };
  return withUsbVolume(machine, { wanted: usb, write: true }, async (folder) => {
    const name = `aaos-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}.backup`;
    const file = join(folder, name);
    return { file: name, ...(await toFile(file, (sink) => write(passphrase, call, sink))) };
  });
};

export const restoreBackup: Verb<"restore-backup"> = ({ file, passphrase, usb }, call) => {
  if (usb === null) {
    if (!file.startsWith("/")) throw noPath();
    return restore({ file, passphrase }, call);
  }
  return withUsbVolume(call.machine, { wanted: usb, write: false }, (folder) =>
    restore({ file: join(folder, basename(file)), passphrase }, call),
  );
};

async function write(passphrase: string, { machine, signal }: VerbCall, sink: Sink) {
  const sum = createHash("sha256");
  let size_bytes = 0;
  for await (const bytes of seal(passphrase, pack(machine, VERSION, new Date(), signal))) {
    sum.update(bytes);
    size_bytes += bytes.length;
    await sink(bytes);
  }
  return { size_bytes, sha256: sum.digest("hex") };
}

/** Bears its name when it is whole and on the medium. */
async function toFile<T>(file: string, fill: (sink: Sink) => Promise<T>): Promise<T> {
  const part = `${file}.part`;
  const stream = createWriteStream(part, { flags: "wx", mode: 0o600, flush: true });
  try {
    const done = await fill(async (bytes) => {
      if (!stream.write(bytes)) await once(stream, "drain");
    });
    stream.end();
    await once(stream, "close");
    await rename(part, file);
    return done;
  } catch (thrown) {
    stream.destroy();
    await rm(part, { force: true });
    throw thrown;
  }
}

function noPath(): AgentdError {
  return new AgentdError("invalid_request", "restore-backup", "file must be an absolute path");
}
