import { createConnection } from "node:net";
import { withinTime } from "../base/duration.js";
import type { MachineStory } from "../protocol/event-machine.js";
import { places } from "../protocol/places.js";
import type { Machine } from "./machine.js";

const TIMEOUT_MS = 60_000;

/** Has the daemon write into its trail what it could not see. False where none answers; the story is then told by the system's journal alone. */
export async function tellDaemon(
  machine: Machine,
  event: MachineStory,
  signal: AbortSignal,
): Promise<boolean> {
  const request = { jsonrpc: "2.0", id: 1, method: "system.record", params: { event } };
  const { socketPath } = places({ root: machine.at("/") });
  try {
    const line = await withinTime(TIMEOUT_MS, signal, (until) =>
      firstLine(socketPath, `${JSON.stringify(request)}\n`, until),
    );
    return "result" in (JSON.parse(line) as object);
  } catch {
    return false;
  }
}

async function firstLine(path: string, text: string, signal: AbortSignal): Promise<string> {
  const socket = createConnection({ path, signal });
  socket.setEncoding("utf8").write(text);
  let answer = "";
  for await (const chunk of socket) {
    answer += String(chunk);
    if (answer.includes("\n")) break;
  }
  socket.destroy();
  return answer.split("\n", 1)[0] ?? "";
}
