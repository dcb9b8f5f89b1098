import type { Readable, Writable } from "node:stream";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { parseJSONRPCMessage, serializeMessage } from "@modelcontextprotocol/client";
import { textLines } from "../../protocol/text-lines.js";

/** A confined process that speaks MCP over its pipes, however it was started. */
export interface LineProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when nothing of it is left; never rejects. */
  readonly exited: Promise<unknown>;
  readonly kill: () => void;
}

/** Longest line that a server may say, in bytes: one that says more is ended. */
const MAX_LINE_BYTES = 8_388_608;

/** MCP's stdio transport over a process that somebody else started. `close` kills it. A line that is no message ends it too. */
export function lineTransport(process: LineProcess): Transport {
  const transport: Transport = {
    start: () => {
      process.stdin.on("error", (error) => transport.onerror?.(error));
      void read(process.stdout, (message) => transport.onmessage?.(message)).catch((thrown) => {
        transport.onerror?.(thrown instanceof Error ? thrown : new Error(String(thrown)));
        process.kill();
      });
      void process.exited.then(() => transport.onclose?.());
      return Promise.resolve();
    },
    send: (message) =>
      new Promise((resolve, reject) => {
        process.stdin.write(serializeMessage(message), (error) =>
          error ? reject(error) : resolve(),
        );
      }),
    close: async () => {
      process.kill();
      await process.exited;
    },
  };
  return transport;
}

async function read(stdout: Readable, onMessage: (message: JSONRPCMessage) => void): Promise<void> {
  for await (const line of textLines(stdout, MAX_LINE_BYTES)) {
    if (line.trim() !== "") onMessage(parseJSONRPCMessage(JSON.parse(line)));
  }
}
