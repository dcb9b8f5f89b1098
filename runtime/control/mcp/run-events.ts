import { AgentdError } from "../../protocol/agentd-error.js";
import type { Frame } from "../../protocol/control.js";
import type { ErrorCode } from "../../protocol/error-code.js";
import type { Api } from "../api.js";
import { type HttpCall, refuse } from "../http/listener.js";

/** `GET /mcp/events?run_id=…[&after_seq=…]`: the run's frames as server-sent events, until it has ended or the client has gone. */
export function runEvents(api: Api): (call: HttpCall) => Promise<void> {
  return async ({ url, response, caller: peer, signal }) => {
    const run_id = url.searchParams.get("run_id") ?? "";
    const after_seq = Number(url.searchParams.get("after_seq") ?? 0);
    try {
      await send(
        api.stream("run.attach", { run_id, after_seq }, { peer, signal }),
        response,
        signal,
      );
    } catch (thrown) {
      if (!(thrown instanceof AgentdError)) throw thrown;
      refuse(response, STATUS[thrown.code] ?? 400, thrown.message);
    }
  };
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  not_permitted: 403,
  unknown_id: 404,
};
const HEAD = { "content-type": "text/event-stream", "cache-control": "no-store" };

async function send(
  frames: AsyncIterable<Frame>,
  response: HttpCall["response"],
  signal: AbortSignal,
): Promise<void> {
  for await (const frame of frames) {
    if (!response.headersSent) response.writeHead(200, HEAD);
    const taken = response.write(`event: ${frame.kind}\ndata: ${JSON.stringify(frame)}\n\n`);
    if (!taken) await drained(response, signal);
    if (signal.aborted) break;
  }
  response.end();
}

function drained(response: HttpCall["response"], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
