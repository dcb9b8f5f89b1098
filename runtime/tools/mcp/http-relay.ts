import type { Readable, Writable } from "node:stream";
import {
  type FetchLike,
  type JSONRPCMessage,
  parseJSONRPCMessage,
  StreamableHTTPClientTransport,
  serializeMessage,
} from "@modelcontextprotocol/client";
import { z } from "zod";
import { textLines } from "../../protocol/text-lines.js";

/** The first line that the relay reads: which server, and what goes out with every request. */
export const RelayTarget = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  headers: z.record(z.string(), z.string()),
});
export type RelayTarget = z.infer<typeof RelayTarget>;

const MAX_LINE_BYTES = 8_388_608;

/**
 * Carries MCP messages between lines and Streamable HTTP, unread but for what the transport needs. Runs in a confined process of its
 * own, so that no byte of a foreign server's HTTP is parsed in the daemon. Ends when stdin does or the server is lost.
 */
export async function relayHttp(
  stdin: Readable,
  stdout: Writable,
  fetch: FetchLike,
): Promise<void> {
  const lines = textLines(stdin, MAX_LINE_BYTES);
  const first = await lines.next();
  if (first.done === true) return;
  const target = RelayTarget.parse(JSON.parse(first.value));
  const transport = new StreamableHTTPClientTransport(new URL(target.url), {
    requestInit: { headers: target.headers },
    fetch,
  });
  const initializing = new Set<string | number>();
  transport.onmessage = (message) => {
    // The era before 2026 names its version in a header of every request once it is agreed.
    const version =
      "id" in message && initializing.has(message.id ?? "") ? versionIn(message) : undefined;
    if (version !== undefined) transport.setProtocolVersion(version);
    stdout.write(serializeMessage(message));
  };
  await transport.start();
  const sending = new Set<Promise<void>>();
  for await (const line of lines) {
    const message = parseJSONRPCMessage(JSON.parse(line));
    if ("method" in message && message.method === "initialize" && "id" in message)
      initializing.add(message.id);
    const sent = transport.send(message).catch((thrown: unknown) => {
      if (!("method" in message && "id" in message)) return;
      const text = thrown instanceof Error ? thrown.message : String(thrown);
      const error = { code: -32_000, message: text.slice(0, 1_000) };
      stdout.write(serializeMessage({ jsonrpc: "2.0", id: message.id, error }));
    });
    sending.add(sent);
    void sent.finally(() => sending.delete(sent));
  }
  await transport.terminateSession().catch(() => undefined);
  await transport.close();
}

function versionIn(message: JSONRPCMessage): string | undefined {
  const parsed = z.object({ result: z.object({ protocolVersion: z.string() }) }).safeParse(message);
  return parsed.success ? parsed.data.result.protocolVersion : undefined;
}
