import type { Json } from "../../protocol/json.js";
import type { Message } from "../../protocol/message.js";

/** One input as far as it has been read. */
export interface ReadState {
  /** Lines by number, without their numbers. */
  readonly lines: Map<number, string>;
  done: boolean;
  error: string | undefined;
  calls: number;
}

/** What the conversation so far says: nothing else is remembered, so a step goes on after a restart where it was. */
export interface Transcript {
  readonly reads: ReadonlyMap<string, ReadState>;
  readonly pages: ReadonlyMap<string, Page | { readonly error: string }>;
  readonly writes: readonly {
    readonly ok: boolean;
    readonly error: string;
    readonly kind: string;
  }[];
  /** Tool calls so far, for ids that are not used twice. */
  readonly calls: number;
}

interface Page {
  readonly title: string;
  readonly url: string;
  readonly body: string;
}

export function readTranscript(messages: readonly Message[]): Transcript {
  const calls = new Map<string, Call>();
  const draft: Draft = { reads: new Map(), pages: new Map(), writes: [] };
  for (const message of messages) {
    if (message.role === "assistant")
      for (const { id, input, name } of message.tool_calls)
        calls.set(id, { name, input: fields(input) });
    if (message.role !== "tool") continue;
    const call = calls.get(message.call_id);
    if (call !== undefined) noteResult(draft, call, message.text, message.is_error);
  }
  return { ...draft, calls: calls.size };
}

interface Call {
  readonly name: string;
  readonly input: Record<string, unknown>;
}

interface Draft {
  readonly reads: Map<string, ReadState>;
  readonly pages: Map<string, Page | { readonly error: string }>;
  readonly writes: { readonly ok: boolean; readonly error: string; readonly kind: string }[];
}

function noteResult(draft: Draft, call: Call, result: string, isError: boolean): void {
  const error = errorOf(result, isError);
  switch (call.name) {
    case "file_read":
      noteRead(draft.reads, textOf(call.input["path"]), result, error?.message);
      return;
    case "web_fetch":
      draft.pages.set(textOf(call.input["url"]), pageOf(call.input, result, error?.message));
      return;
    case "file_write":
      draft.writes.push({
        ok: error === undefined,
        error: error?.message ?? "",
        kind: error?.kind ?? "",
      });
      return;
    default:
  }
}

/** The text of an input as far as it was read. */
export function textOfRead(state: ReadState): string {
  return [...state.lines]
    .sort((a, b) => a[0] - b[0])
    .map(([, line]) => line)
    .join("\n");
}

function noteRead(
  reads: Map<string, ReadState>,
  path: string,
  result: string,
  error: string | undefined,
): void {
  const state = reads.get(path) ?? {
    lines: new Map<number, string>(),
    done: false,
    error: undefined,
    calls: 0,
  };
  reads.set(path, state);
  state.calls++;
  if (error !== undefined) {
    // A file that ends where the next part was asked for has been read whole.
    if (state.lines.size > 0) state.done = true;
    else state.error = error;
    return;
  }
  const parsed = parseObject(result);
  const before = state.lines.size;
  const content = parsed === undefined ? salvage(result) : textOf(parsed["content"]);
  for (const [number, line] of numbered(content, before)) state.lines.set(number, line);
  state.done =
    (parsed !== undefined && parsed["truncated"] !== true) || state.lines.size === before;
}

/** `%6d\t` before each line; where a tool gives no numbers, lines are counted on. */
function numbered(content: string, before: number): [number, string][] {
  return content.split("\n").flatMap((line, index): [number, string][] => {
    const match = /^\s*(\d+)\t(.*)$/s.exec(line);
    if (match !== null) return [[Number(match[1]), match[2] ?? ""]];
    return line === "" ? [] : [[before + index + 1, line]];
  });
}

/** The content of a result that was cut in the middle of its JSON. */
function salvage(result: string): string {
  const body = /"content"\s*:\s*"((?:\\.|[^"\\])*)/s.exec(result)?.[1];
  if (body === undefined) return result;
  try {
    return textOf(JSON.parse(`"${body}"`));
  } catch {
    return body.replaceAll("\\n", "\n").replaceAll("\\t", "\t").replaceAll('\\"', '"');
  }
}

function pageOf(
  input: Record<string, unknown>,
  result: string,
  error: string | undefined,
): Page | { readonly error: string } {
  if (error !== undefined) return { error };
  const page = parseObject(result);
  const status = page?.["status"];
  if (typeof status === "number" && (status < 200 || status > 299))
    return { error: `status ${status}` };
  const url = textOf(page?.["url"]) === "" ? textOf(input["url"]) : textOf(page?.["url"]);
  const body = page === undefined ? result : textOf(page["body"]);
  const title = textOf(page?.["title"]);
  return { url, body, title: title === "" ? url : title };
}

function errorOf(
  result: string,
  isError: boolean,
): { readonly kind: string; readonly message: string } | undefined {
  const error = fields(parseObject(result)?.["error"]);
  if (!isError && error["message"] === undefined) return undefined;
  return {
    kind: textOf(error["kind"]),
    message: textOf(error["message"]) === "" ? result.slice(0, 200) : textOf(error["message"]),
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
