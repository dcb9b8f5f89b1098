import {
  closeSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Writes the file whole or not at all, on disk when it returns: a power cut leaves the old one or the new one. The folder is made
 * where it is missing. `mode` holds from the first byte on; `owner` is given where it is not this process's user.
 */
export function writeAtomic(
  file: string,
  text: string,
  mode: number,
  owner?: { readonly uid: number; readonly gid: number },
): void {
  const dir = dirname(file);
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const part = join(dir, `.${basename(file)}.part`);
  rmSync(part, { force: true });
  try {
    withFd(openSync(part, "wx", mode), (fd) => {
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
      writeSync(fd, text);
      fsyncSync(fd);
    });
    renameSync(part, file);
  } catch (thrown) {
    rmSync(part, { force: true });
    throw thrown;
  }
  withFd(openSync(dir, "r"), fsyncSync);
}

function withFd(fd: number, use: (fd: number) => void): void {
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}
