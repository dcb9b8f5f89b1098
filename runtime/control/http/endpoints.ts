import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Caller } from "../../protocol/caller.js";
import type { McpFile } from "../../protocol/mcp-file.js";
import { openA2aEndpoint } from "../a2a/endpoint.js";
import type { Api } from "../api.js";
import type { ControlLog } from "../control-log.js";
import { openMcpEndpoint } from "../mcp/endpoint.js";
import { runEvents } from "../mcp/run-events.js";
import type { Metrics } from "../metrics.js";
import { peerGuard, tokenGuard } from "./guard.js";
import { type HttpCall, openListener, type Routes, refuse } from "./listener.js";

export interface EndpointsOptions {
  readonly server: McpFile["server"];
  /** Path of the Unix socket. */
  readonly socketPath: string;
  readonly peerOf: (socket: Socket) => Caller;
  /** The bearer token of the loopback listener, and whom it stands for. */
  readonly token: () => string;
  readonly holder: Caller;
  readonly api: Api;
  readonly metrics: Metrics;
  readonly version: string;
  readonly log: ControlLog;
}

/** MCP, A2A and metrics over HTTP: on a Unix socket, and on loopback unless `bind` is null. */
export async function openEndpoints(
  options: EndpointsOptions,
): Promise<{ readonly close: () => Promise<void> }> {
  const { api, version, log, metrics } = options;
  const { bind, a2a: withA2a } = options.server;
  const mcp = openMcpEndpoint({ api, version });
  const routes: Routes = {
    "* /mcp": mcp.handle,
    "GET /mcp/events": runEvents(api),
    ...(withA2a && bind !== null ? a2aRoutes(`http://${bind}`, options) : {}),
  };
  const callerOf = (request: IncomingMessage) => options.peerOf(request.socket);
  const open = [
    await openListener({
      at: { path: options.socketPath },
      guard: peerGuard(callerOf),
      // All runs are counted together: on the socket, where callers differ, they are for who may see all.
      routes: {
        ...routes,
        "GET /metrics": (call) => showMetrics(call, metrics, call.caller.admin),
      },
      log,
    }),
  ];
  if (bind !== null) {
    const guard = tokenGuard(options.token(), options.holder);
    const own = { ...routes, "GET /metrics": (call: HttpCall) => showMetrics(call, metrics, true) };
    open.push(await openListener({ at: hostAndPort(bind), guard, routes: own, log }));
  }
  return {
    close: async () => {
      await mcp.close();
      await Promise.all(open.map((listener) => listener.close()));
    },
  };
}

function a2aRoutes(origin: string, { api, version }: EndpointsOptions): Routes {
  const { card, rpc } = openA2aEndpoint({ api, version, origin });
  return { "GET /.well-known/agent-card.json": card, "POST /a2a": rpc };
}

function hostAndPort(bind: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`http://${bind}`);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
}

async function showMetrics({ response }: HttpCall, metrics: Metrics, may: boolean): Promise<void> {
  if (!may) return refuse(response, 403, "metrics are for operators in group aaos-admin");
  response.writeHead(200, { "content-type": "text/plain; version=0.0.4" });
  response.end(await metrics.text());
}
