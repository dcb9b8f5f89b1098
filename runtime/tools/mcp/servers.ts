import type { McpFile } from "../../protocol/mcp-file.js";
import type { Tool } from "../tool.js";
import {
  type McpServerStatus,
  openServerLink,
  type ServerLink,
  type ServerLinkOptions,
} from "./server-link.js";

/** All MCP servers of this machine. Those that cannot be reached now are tried again; none of them holds up the daemon. */
export interface McpServers {
  readonly tools: () => readonly Tool[];
  readonly status: () => readonly McpServerStatus[];
  /** Resolves when nothing of any of them is left. */
  readonly close: () => Promise<void>;
}

export function openMcpServers(
  { client }: Pick<McpFile, "client">,
  options: ServerLinkOptions,
): McpServers {
  const links: readonly ServerLink[] = client.servers.map((entry) =>
    openServerLink(entry, options),
  );
  return {
    tools: () => links.flatMap((link) => link.tools()),
    status: () => links.map((link) => link.status()),
    close: async () => {
      await Promise.all(links.map((link) => link.close()));
    },
  };
}
