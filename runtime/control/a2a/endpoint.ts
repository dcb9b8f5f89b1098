import { A2A_VERSION_HEADER, AgentCard, formatSSEEvent, SSE_HEADERS } from "@a2a-js/sdk";
import { JsonRpcTransportHandler, ServerCallContext } from "@a2a-js/sdk/server";
import type { Api } from "../api.js";
import { type HttpCall, refuse } from "../http/listener.js";
import { readBody } from "../http/read-body.js";
import { agentCard } from "./agent-card.js";
import { a2aHandler } from "./request-handler.js";

export interface A2aEndpoint {
  /** `GET /.well-known/agent-card.json` */
  readonly card: (call: HttpCall) => void;
  /** `POST /a2a`: JSON-RPC; a streaming method answers with server-sent events. */
  readonly rpc: (call: HttpCall) => Promise<void>;
}

const MAX_BODY_BYTES = 1_048_576;

/** The agent-to-agent protocol, version 1.0, over JSON-RPC. */
export function openA2aEndpoint(options: {
  readonly api: Api;
  readonly version: string;
  readonly origin: string;
}): A2aEndpoint {
  const card = agentCard(`${options.origin}/a2a`, options.version);
  return {
    card: ({ response }) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(AgentCard.toJSON(card)));
    },
    rpc: async ({ request, response, caller: peer, signal }) => {
      const body = await readBody(request, MAX_BODY_BYTES);
      if (body === undefined)
        return refuse(response, 413, `a request is at most ${MAX_BODY_BYTES} bytes`);
      const version = request.headers[A2A_VERSION_HEADER.toLowerCase()];
      const context = new ServerCallContext(
        typeof version === "string" ? { requestedVersion: version } : {},
      );
      const transport = new JsonRpcTransportHandler(
        a2aHandler(card, options.api, { peer, signal }),
      );
      const answer = await transport.handle(body, context);
      if (!(Symbol.asyncIterator in answer)) {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify(answer));
        return;
      }
      response.writeHead(200, SSE_HEADERS);
      for await (const event of answer) {
        if (signal.aborted) break;
        response.write(formatSSEEvent(event));
      }
      response.end();
    },
  };
}
