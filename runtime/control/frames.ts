import type { z } from "zod";
import { errorText } from "../base/error-text.js";
import { oneLine } from "../base/text.js";
import type { AgentdError } from "../protocol/agentd-error.js";
import type { Frame } from "../protocol/control.js";
import { RpcRequest, type RpcResponse } from "../protocol/rpc.js";

/** Deeper than any request of ours; keeps recursive validation off the stack's end. */
const MAX_DEPTH = 64;
const MAX_MESSAGE = 500;

type RequestId = string | number | null;

/** A request line taken apart, or the error that answers it. */
export type ParsedLine =
  | { readonly ok: true; readonly request: RpcRequest }
  | { readonly ok: false; readonly id: RequestId; readonly code: number; readonly message: string };

/**
 * One line, without its newline, to a request. Refuses what is no UTF-8, no JSON, nested too deep, or no request of JSON-RPC
 * 2.0; the message names the field. Never throws.
 */
export function parseRequest(line: Uint8Array): ParsedLine {
  const text = decode(line);
  if (text === undefined) return refusal(null, -32700, "the line is no UTF-8");
  if (isTooDeep(text)) return refusal(null, -32600, `nested deeper than ${MAX_DEPTH} levels`);
  const value = parseJson(text);
  if (!value.ok) return refusal(null, -32700, `the line is no JSON: ${value.message}`);
  const request = RpcRequest.safeParse(value.json);
  if (request.success) return { ok: true, request: request.data };
  return refusal(idOf(value.json), -32600, describeIssues(request.error));
}

/** What is wrong with a value, each problem with its field: `goal: expected string`. */
export function describeIssues(error: z.ZodError): string {
  const problems = error.issues.slice(0, 5).map((issue) => {
    const field = issue.path.map(String).join(".");
    return field === "" ? issue.message : `${field}: ${issue.message}`;
  });
  return oneLine(problems.join("; "), MAX_MESSAGE);
}

export function formatResult(id: RequestId, result: unknown): string {
  return `${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`;
}

/** The error's code on the wire: the numbers of JSON-RPC where they fit, else -32000; `data.kind` is what clients go by. */
export function formatError(id: RequestId, error: AgentdError, code = numberOf(error)): string {
  const response: RpcResponse = {
    jsonrpc: "2.0",
    id,
    error: {
      code,
      message: error.message,
      data: { kind: error.code, op: error.op, hint: error.hint },
    },
  };
  return `${JSON.stringify(response)}\n`;
}

export function formatFrame(frame: Frame): string {
  return `${JSON.stringify(frame)}\n`;
}

/** The last frame of a stream that could not be carried on. */
export function failedFrame(error: AgentdError): Frame {
  return {
    kind: "end",
    exit_code: error.exitCode,
    input_tokens: 0,
    output_tokens: 0,
    usd: 0,
    elapsed_ms: 0,
    error: error.message,
    error_kind: error.code,
    hint: error.hint,
  };
}

function numberOf(error: AgentdError): number {
  if (error.code === "method_not_found") return -32601;
  return error.code === "request_too_large" ? -32600 : -32000;
}

function refusal(id: RequestId, code: number, message: string): ParsedLine {
  return { ok: false, id, code, message: oneLine(message, MAX_MESSAGE) };
}

function decode(line: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(line);
  } catch {
    return undefined;
  }
}

type JsonText =
  | { readonly ok: true; readonly json: unknown }
  | { readonly ok: false; readonly message: string };

function parseJson(text: string): JsonText {
  try {
    // Half a surrogate pair is no character: it could be neither stored nor hashed. Escapes are the only way to write one.
    const json: unknown = /\\u[dD][89a-fA-F]/.test(text)
      ? JSON.parse(text, refuseLoneSurrogate)
      : JSON.parse(text);
    return { ok: true, json };
  } catch (thrown) {
    return { ok: false, message: errorText(thrown) };
  }
}

function refuseLoneSurrogate(key: string, value: unknown): unknown {
  if (/\p{Surrogate}/u.test(key) || (typeof value === "string" && /\p{Surrogate}/u.test(value))) {
    throw new SyntaxError("half a surrogate pair");
  }
  return value;
}

/** Counts brackets outside of strings, without recursion. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

/** Where the string that begins at `start` closes; the text's end where it does not. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text.charCodeAt(i) !== QUOTE) {
    i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
  }
  return i;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function idOf(value: unknown): RequestId {
  if (typeof value !== "object" || value === null || !("id" in value)) return null;
  const id = RpcRequest.shape.id.safeParse(value.id);
  return id.success ? id.data : null;
}
