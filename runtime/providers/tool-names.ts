import { createHash } from "node:crypto";
import type { ModelRequest } from "../protocol/model.js";

/** What OpenAI-style and Anthropic APIs both take as a function's name. */
const WIRE_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const HASH_CHARS = 8;

/** Both directions of one request's tool names. */
export interface ToolNames {
  readonly toWire: (name: string) => string;
  /** A name that the model made up comes back unchanged: the loop answers "no such tool". */
  readonly fromWire: (wire: string) => string;
}

/**
 * Maps names to what APIs allow and back: `mcp.github.x` is `mcp__github__x` on the wire. Names that are allowed already stay;
 * a long one, or one that would fall together with another, is shortened and gets a hash of itself. The same set of names
 * always maps the same way.
 */
export function toolNames(names: Iterable<string>): ToolNames {
  const wireOf = new Map<string, string>();
  const nameOf = new Map<string, string>();
  const all = [...new Set(names)].sort();
  const put = (name: string, wire: string): void => {
    wireOf.set(name, wire);
    nameOf.set(wire, name);
  };
  for (const name of all) if (WIRE_NAME.test(name)) put(name, name);
  for (const name of all) {
    if (wireOf.has(name)) continue;
    const plain = name.replaceAll(".", "__").replace(/[^a-zA-Z0-9_-]/g, "_");
    put(name, WIRE_NAME.test(plain) && !nameOf.has(plain) ? plain : hashed(name, plain));
  }
  return {
    toWire: (name) => wireOf.get(name) ?? name,
    fromWire: (wire) => nameOf.get(wire) ?? wire,
  };
}

/** The names of a request: its tools, and whatever its history calls. */
export function namesOfRequest(request: ModelRequest): ToolNames {
  const names = request.tools.map((tool) => tool.name);
  for (const message of request.messages) {
    if (message.role === "assistant") names.push(...message.tool_calls.map((call) => call.name));
    if (message.role === "tool") names.push(message.tool);
  }
  return toolNames(names);
}

function hashed(name: string, plain: string): string {
  const digest = createHash("sha256").update(name).digest("hex").slice(0, HASH_CHARS);
  return `${plain.slice(0, 64 - HASH_CHARS - 1)}_${digest}`;
}
