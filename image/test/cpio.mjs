// A cpio archive as an initrd is made of (newc, the kernel's Documentation/driver-api/early-userspace/buffer-format.rst). The kernel
// unpacks several one after the other: what comes last stands.

/**
 * @param {readonly {name: string, mode: number, text: string}[]} files mode with its type, as 0o100755
 * @returns {Buffer}
 */
export function cpio(files) {
  const entries = [...files, { name: "TRAILER!!!", mode: 0, text: "" }];
  return Buffer.concat(
    entries.map(({ name, mode, text }, index) => entry(index + 1, name, mode, text)),
  );
}

/** @param {number} ino @param {string} name @param {number} mode @param {string} text */
function entry(ino, name, mode, text) {
  const body = Buffer.from(text);
  const fields = [ino, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
  return Buffer.concat([padded(Buffer.from(head)), padded(body)]);
}

/** To a multiple of four bytes. @param {Buffer} bytes */
function padded(bytes) {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
