import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { errnoOf, errorText } from "../base/error-text.js";
import { MAX_FILE_BYTES } from "./yaml-document.js";

export type ReadText =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly absent: boolean;
      readonly message: string;
      readonly hint: string | null;
    };

/** A regular file of at most 1 MiB as UTF-8 text. Reads no more than that, whatever the file does meanwhile. */
export function readText(file: string): ReadText {
  const fail = (message: string, hint: string | null = null): ReadText => ({
    ok: false,
    absent: false,
    message,
    hint,
  });
  try {
    const fd = openSync(file, "r");
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return fail("is no regular file");
      if (stat.size > MAX_FILE_BYTES) return fail("is larger than 1 MiB");
      const bytes = Buffer.alloc(stat.size);
      const length = readSync(fd, bytes, 0, stat.size, 0);
      return { ok: true, text: decode(bytes.subarray(0, length)) };
    } finally {
      closeSync(fd);
    }
  } catch (thrown) {
    if (thrown instanceof TypeError) return fail("is no UTF-8 text", "save it as UTF-8");
    if (errnoOf(thrown) === "ENOENT")
      return { ok: false, absent: true, message: "does not exist", hint: null };
    const hint = errnoOf(thrown) === "EACCES" ? "let the user of agentd read it" : null;
    return fail(`cannot be read: ${errorText(thrown)}`, hint);
  }
}

/** Throws a TypeError where the bytes are no UTF-8. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}
