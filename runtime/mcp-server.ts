import type { Logger } from "pino";
import type { Configuration } from "./configuration.js";
import type { Confinement } from "./confinement.js";
import type { Api } from "./control/api.js";
import type { Metrics } from "./control/metrics.js";
import { mcpToken } from "./mcp-token.js";
import { VERSION } from "./version.js";

interface Rooms {
  readonly config: Configuration;
  readonly confinement: Pick<Confinement, "peerOf">;
  readonly log: Logger;
}

/** The MCP server and its neighbours, where mcp-servers.yaml enables them; their code is loaded only then (20 MB). Whoever holds the token acts as this daemon's own user. */
export async function openMcpServer(
  { config, confinement, log }: Rooms,
  metrics: Metrics,
  api: Api,
) {
  const { server } = config.mcp;
  if (!server.enabled) return undefined;
  const { openEndpoints } = await import("./control/http/endpoints.js");
  const { mcpSocketPath: socketPath, mcpTokenFile } = config.places;
  const endpoints = await openEndpoints({
    ...{ server, socketPath, api, metrics, log, version: VERSION, peerOf: confinement.peerOf },
    token: () => mcpToken(mcpTokenFile, config.credential("mcp")),
    holder: { uid: process.getuid?.() ?? null, groups: [], admin: false },
  });
  log.info({ socket: socketPath, bind: server.bind, a2a: server.a2a }, "MCP server ready");
  return endpoints;
}
