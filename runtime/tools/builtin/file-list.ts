import { z } from "zod";
import { toolDenied, toolOutput } from "../../protocol/tool-call.js";
import { AbsolutePath } from "../absolute-path.js";
import { defineTool } from "../define-tool.js";
import { fromPort } from "../from-port.js";

const MAX_ENTRIES = 500;

/** Lists a directory, or tells a file's size. */
export const fileList = defineTool({
  name: "file_list",
  description:
    "Lists a directory: name, kind (file, dir, symlink, other) and size of each entry, sorted by name, at most 500; `truncated` " +
    "tells that there are more. For a file it gives that file's own entry. It does not descend: call it again for a subdirectory.",
  input: z.strictObject({ path: AbsolutePath }),
  read_only: true,
  implied_by: ["file_read"],
  run: async ({ path }, { ports, grant, signal }) => {
    const place = await grant({ kind: "file_read", path });
    if (!place.ok) return toolDenied(place.denial);
    const listed = await ports.files.list(place.granted, MAX_ENTRIES, signal);
    if (!listed.ok) return fromPort(listed);
    const { kind, entries, truncated } = listed.value;
    return toolOutput({
      path: place.granted.path,
      kind,
      entries: entries.map((entry) => ({ ...entry })),
      truncated,
    });
  },
});
