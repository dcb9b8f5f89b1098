import { z } from "zod";
import { toolDenied, toolFailure, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";

const MAX_BYTES = 1_048_576;

/** Writes or appends to one file. Nothing on disk changes unless the write was granted. */
export const fileWrite = defineTool({
  name: "file_write",
  description:
    "Writes a text file, replacing what it held, or appends with `append: true`. Missing directories are made. At most 1 MiB a " +
    "call; write a longer document in pieces with append.",
  input: z.strictObject({
    path: AbsolutePath,
    content: z.string(),
    append: z.boolean().default(false),
  }),
  read_only: false,
  implied_by: ["file_write"],
  run: async ({ path, content, append }, { ports, grant, signal }) => {
    const bytes = Buffer.from(content, "utf8");
    if (bytes.length > MAX_BYTES) {
      const message = `content has ${bytes.length} bytes; at most 1 MiB a call, go on with append`;
      return toolFailure("too_large", message);
    }
    const file = await grant({ kind: "file_write", path });
    if (!file.ok) return toolDenied(file.denial);
    const written = await ports.files.write(file.granted, { bytes, append }, signal);
    if (!written.ok) return fromPort(written);
    return toolOutput({ bytes_written: written.value.bytes_written });
  },
});
