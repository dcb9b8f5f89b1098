import { z } from "zod";
import type { Json } from "../../protocol/json.js";
import { type ToolResult, toolDenied, toolFailure, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";

const MAX_FILE_BYTES = 1_048_576;
const MAX_STRING_BYTES = 65_536;

const Piece = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= MAX_STRING_BYTES, "is longer than 64 KiB");

/** Replaces exact text in one file; changes nothing where the text is absent or, without `replace_all`, not unique. */
export const fileEdit = defineTool({
  name: "file_edit",
  description:
    "Replaces `old_string` by `new_string` in a text file of at most 1 MiB. old_string must match exactly (without the line numbers of " +
    "file_read) and occur once, unless `replace_all` is true. Each string at most 64 KiB. The file must exist: make a new one with file_write.",
  input: z.strictObject({
    path: AbsolutePath,
    old_string: Piece.min(1, "must not be empty"),
    new_string: Piece,
    replace_all: z.boolean().default(false),
  }),
  read_only: false,
  implied_by: ["file_write"],
  run: async ({ path, old_string, new_string, replace_all }, { ports, grant, signal }) => {
    const source = await grant({ kind: "file_read", path });
    if (!source.ok) return toolDenied(source.denial);
    const target = await grant({ kind: "file_write", path });
    if (!target.ok) return toolDenied(target.denial);
    const range = { offset_bytes: 0, max_bytes: MAX_FILE_BYTES };
    const before = await ports.files.read(source.granted, range, signal);
    if (!before.ok) return fromPort(before);
    const { bytes, size_bytes } = before.value;
    if (size_bytes > MAX_FILE_BYTES) {
      return toolFailure("too_large", `${path} has ${size_bytes} bytes; at most 1 MiB is edited`);
    }
    const text = decode(bytes);
    if (text === undefined) return toolFailure("failed", `${path} is no UTF-8 text`);
    const edited = replaceText(text, { old_string, new_string, replace_all });
    if (!edited.ok) return edited.failure;
    const content = { bytes: Buffer.from(edited.text, "utf8"), append: false };
    const written = await ports.files.write(target.granted, content, signal);
    if (!written.ok) return fromPort(written);
    const output: Json = {
      path: target.granted.path,
      replacements: edited.count,
      bytes_before: bytes.length,
      bytes_after: content.bytes.length,
    };
    return toolOutput(output);
  },
});

/** The text, a byte order mark included, or undefined where the bytes are none: an edit must not change what it does not show. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

interface Edit {
  readonly old_string: string;
  readonly new_string: string;
  readonly replace_all: boolean;
}

type Edited =
  | { readonly ok: true; readonly text: string; readonly count: number }
  | { readonly ok: false; readonly failure: ToolResult };

function replaceText(text: string, edit: Edit): Edited {
  const refuse = (kind: "invalid_input" | "not_found", message: string): Edited => ({
    ok: false,
    failure: toolFailure(kind, message),
  });
  if (edit.old_string === edit.new_string) {
    return refuse("invalid_input", "new_string: is the same as old_string");
  }
  const parts = text.split(edit.old_string);
  const count = parts.length - 1;
  if (count === 0) {
    const lineEnds = text.includes("\r\n") ? " (its lines end in CR LF)" : "";
    return refuse(
      "not_found",
      `old_string does not occur in the file${lineEnds}; read it again and copy the text exactly`,
    );
  }
  if (count > 1 && !edit.replace_all) {
    return refuse(
      "invalid_input",
      `old_string: occurs ${count} times; add surrounding lines until it is unique, or set replace_all`,
    );
  }
  return { ok: true, text: parts.join(edit.new_string), count };
}
