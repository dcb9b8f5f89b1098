import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../protocol/json.js";
import { anthropicEvents, anthropicWhole } from "./scripted-anthropic.js";
import { openaiChunks, openaiWhole } from "./scripted-openai.js";
import type { ScriptedFault, ScriptedRequest, ScriptedTurn } from "./scripted-script.js";

/** Sends a turn as the API of the request does, in a stream where one was asked for and `neverStream` does not forbid it. */
export async function sendTurn(
  turn: ScriptedTurn,
  request: ScriptedRequest,
  response: ServerResponse,
  id: string,
  neverStream: boolean,
): Promise<void> {
  if (request.stream && !neverStream) {
    await sendStream(frames(turn, request, id), response, turn.chunkDelayMs ?? 0);
    response.end();
    return;
  }
  const whole = request.api === "openai" ? openaiWhole : anthropicWhole;
  send(response, 200, whole(turn, request, id));
}

function frames(turn: ScriptedTurn, request: ScriptedRequest, id: string): string[] {
  if (request.api === "anthropic")
    return anthropicEvents(turn, request, id).map(
      (event) => `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`,
    );
  const chunks = openaiChunks(turn, request, id).map(
    (chunk) => `data: ${JSON.stringify(chunk)}\n\n`,
  );
  return [...chunks, "data: [DONE]\n\n"];
}

async function sendStream(
  parts: readonly string[],
  response: ServerResponse,
  delayMs: number,
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  for (const part of parts) {
    if (response.destroyed) return;
    response.write(part);
    if (delayMs > 0 && !(await waited(delayMs, response))) return;
  }
}

/** Does what goes wrong; returns when nothing more comes. */
export async function misbehave(
  fault: ScriptedFault,
  request: ScriptedRequest,
  response: ServerResponse,
  id: string,
): Promise<void> {
  switch (fault.fault) {
    case "status": {
      if (fault.retry_after !== undefined)
        response.setHeader("retry-after", String(fault.retry_after));
      return refuse(
        response,
        fault.status,
        fault.message ?? `scripted ${fault.status}`,
        fault.code,
      );
    }
    case "hang":
      return gone(response);
    case "stall":
    case "cut": {
      const all = frames({ text: fault.text ?? "half a rep" }, request, id);
      const end = all.findIndex((frame) => /"finish_reason":"stop"|content_block_stop/.test(frame));
      await sendStream(all.slice(0, end), response, 0);
      if (fault.fault === "stall") return gone(response);
      await sleep(10);
      response.destroy();
      return;
    }
    case "garbage":
      return garbage(fault.as ?? "html", request, response);
    case "blank":
      await sendStream(frames({ text: "   \n  " }, request, id), response, 0);
      response.end();
      return;
  }
}

function garbage(
  as: "html" | "sse" | "json" | "error_event",
  request: ScriptedRequest,
  response: ServerResponse,
): void {
  const named = request.api === "anthropic" ? "event: message_start\n" : "";
  const bodies = {
    html: ["text/html", "<html><body>Welcome to the hotel's network</body></html>"],
    sse: ["text/event-stream", `${named}data: {"choices": [{"delta": \n\n`],
    json: ["application/json", '{"choices": [{"mess'],
    error_event: [
      "text/event-stream",
      `${request.api === "anthropic" ? "event: error\n" : ""}data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded","code":529}}\n\n`,
    ],
  } as const;
  const [type, body] = bodies[as];
  response.writeHead(200, { "content-type": type });
  response.end(body);
}

/** Until the client has hung up. */
function gone(response: ServerResponse): Promise<void> {
  return new Promise((done) => {
    if (response.destroyed) done();
    else response.once("close", () => done());
  });
}

/** Waits; false if the client hung up meanwhile. */
export async function waited(ms: number, response: ServerResponse): Promise<boolean> {
  const hungUp = new AbortController();
  const stop = (): void => hungUp.abort();
  response.once("close", stop);
  try {
    await sleep(ms, undefined, { signal: hungUp.signal });
    return true;
  } catch {
    return false;
  } finally {
    response.off("close", stop);
  }
}

export function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  code?: string,
): void {
  const type =
    status === 401 ? "authentication_error" : status === 529 ? "overloaded_error" : "error";
  const error = { message, type, ...(code === undefined ? {} : { code }) };
  send(response, status, { type: "error", error });
}

export function send(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
