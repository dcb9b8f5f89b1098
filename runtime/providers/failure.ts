import { errnoOf, errorText } from "../base/error-text.js";
import { oneLine } from "../base/text.js";
import {
  type ModelRequest,
  NO_USAGE,
  type ProviderFailure,
  type ProviderFailureKind,
  type StructuredMode,
  type Usage,
} from "../protocol/model.js";
import type { AttemptFailed, Connection } from "./attempt.js";
import type { IdleWatch } from "./idle-watch.js";

/** Of which call something went wrong. */
interface FailedCall {
  readonly connection: Connection;
  readonly model: string;
  readonly structured_by?: StructuredMode;
  /** What the try had used before it failed. */
  readonly usage?: Usage;
}

export function failedCall(
  request: ModelRequest,
  connection: Connection,
  usage?: Usage,
): FailedCall {
  return {
    connection,
    model: request.model,
    ...(request.structured === undefined ? {} : { structured_by: request.structured.by }),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** What an API's error says, whichever SDK threw it. */
interface ApiError {
  readonly status: number | undefined;
  readonly text: string;
  /** `error.code` and `error.type` of the body, joined. */
  readonly codes: string;
  readonly header: (name: string) => string | null;
}

const CONTEXT_WORDS =
  /context.{0,12}(length|window|size)|prompt is too long|input is too long|too many (input )?tokens|reduce the length/i;
const STRUCTURED_WORDS =
  /response_format|json_schema|json_object|json mode|output_config|output_format|tool_choice|structured|grammar/i;
const TOOL_WORDS = /\b(tool|function)/i;
const QUOTA_WORDS = /insufficient_quota|insufficient balance|billing|credit balance/i;
const TYPE_STATUS: Readonly<Record<string, number>> = {
  overloaded_error: 529,
  rate_limit_error: 429,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  invalid_request_error: 400,
};

/** The end of a try that threw `thrown`, or that `watch` ended. The message names provider, host and status, never a key. */
export function failedBy(thrown: unknown, call: FailedCall, watch: IdleWatch): AttemptFailed {
  const ended = watch.ended();
  if (ended === "cancelled") return failed(call, "cancelled", "the call was cancelled");
  if (ended === "timeout") {
    const seconds = call.connection.timeout_ms / 1_000;
    return failed(call, "timeout", `no byte came for ${seconds} s`);
  }
  const api = apiError(thrown);
  if (api.status !== undefined) return failedWithStatus(api, api.status, call);
  if (thrown instanceof SyntaxError)
    return failed(call, "garbage", `the answer is no valid JSON: ${thrown.message}`);
  return failed(call, "network", networkText(thrown));
}

/** A try that ended without an exception and without a whole reply. */
export function failed(
  call: FailedCall,
  kind: ProviderFailureKind,
  what: string,
  more: { readonly status?: number; readonly retry_after_ms?: number } = {},
): AttemptFailed {
  const { retry_after_ms, status } = more;
  const { provider, base_url } = call.connection;
  const message = `${provider} (${hostOf(base_url)}): ${redact(what, call.connection.key)}`;
  const failure: ProviderFailure =
    status === undefined ? { kind, message } : { kind, message, status };
  const usage = call.usage ?? NO_USAGE;
  return retry_after_ms === undefined
    ? { type: "failed", failure, usage }
    : { type: "failed", failure, usage, retry_after_ms };
}

/** The text of an API's error, for a provider that adapts to what a server refuses. */
export function refusalText(thrown: unknown): string | undefined {
  const api = apiError(thrown);
  return api.status === 400 || api.status === 422 ? api.text : undefined;
}

function failedWithStatus(api: ApiError, status: number, call: FailedCall): AttemptFailed {
  const kind = kindOf(api, status, call);
  const what = explain(kind, api, status, call);
  const retryAfterMs = retryAfter(api, call.connection.now());
  return failed(
    call,
    kind,
    what,
    retryAfterMs === undefined ? { status } : { status, retry_after_ms: retryAfterMs },
  );
}

function kindOf(api: ApiError, status: number, call: FailedCall): ProviderFailureKind {
  const said = `${api.codes} ${api.text}`;
  if (refusesMode(said, status, call.structured_by)) return "unsupported";
  if (status === 401 || status === 403 || status === 402) return "auth";
  if (status === 429) return QUOTA_WORDS.test(said) ? "auth" : "rate_limited";
  if (status === 404) return "unknown_model";
  if (status === 413) return "context_length";
  if (status === 408) return "timeout";
  if (status === 409 || status >= 500) return "overloaded";
  return CONTEXT_WORDS.test(said) ? "context_length" : "bad_request";
}

/** Whether a server turns down the way JSON was asked for. Some answer 500 where their grammar compiler fails. */
function refusesMode(said: string, status: number, by: StructuredMode | undefined): boolean {
  if (by === undefined || (status !== 400 && status !== 422 && status < 500)) return false;
  return STRUCTURED_WORDS.test(said) || (by === "tool" && status < 500 && TOOL_WORDS.test(said));
}

function explain(
  kind: ProviderFailureKind,
  api: ApiError,
  status: number,
  call: FailedCall,
): string {
  const said = oneLine(api.text, 300);
  // What an API says of a wrong key may hold a part of the key, so it is not repeated.
  if (status === 401 || status === 403)
    return `answered ${status}: the key was refused; set it with \`agentd configure\``;
  if (kind === "auth")
    return `answered ${status}: the account has no credit or quota left (${said})`;
  if (kind === "unknown_model")
    return `answered ${status}: model "${call.model}" or the base_url is unknown there (${said})`;
  return `answered ${status}: ${said}`;
}

function apiError(thrown: unknown): ApiError {
  const fields = record(thrown);
  const body = record(fields["error"]);
  const inner = record(body["error"] ?? body);
  const codes = [inner["code"], inner["type"]]
    .filter((code) => typeof code === "string" || typeof code === "number")
    .join(" ");
  const message = inner["message"] ?? body["message"];
  const headers = fields["headers"];
  return {
    status: typeof fields["status"] === "number" ? fields["status"] : statusInBody(thrown, inner),
    text:
      typeof message === "string" && message !== ""
        ? message
        : errorText(thrown).replace(/^\d{3} /, ""),
    codes,
    header: (name) => (headers instanceof Headers ? headers.get(name) : null),
  };
}

/** An error inside a stream has no status of its own: a numeric code or a known type tells it, else it is the server's fault. */
function statusInBody(
  thrown: unknown,
  inner: Readonly<Record<string, unknown>>,
): number | undefined {
  if (!(thrown instanceof Error) || Object.keys(inner).length === 0) return undefined;
  const code = Number(inner["code"]);
  if (Number.isInteger(code) && code >= 400 && code < 600) return code;
  const type = inner["type"];
  return (typeof type === "string" ? TYPE_STATUS[type] : undefined) ?? 500;
}

/** Milliseconds that the provider asks to wait: `retry-after-ms`, or Retry-After in seconds or as a date (RFC 9110). */
function retryAfter(api: ApiError, nowMs: number): number | undefined {
  const ms = Number(api.header("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const value = api.header("retry-after");
  if (value === null) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function networkText(thrown: unknown): string {
  const causes: string[] = [];
  let at: unknown = thrown;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    causes.push(errnoOf(at) ?? at.message);
    at = at.cause;
  }
  const deepest = causes.filter((cause) => cause !== "").at(-1) ?? errorText(thrown);
  return `the connection failed (${oneLine(deepest, 200)})`;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "?";
}

function redact(text: string, key: string | undefined): string {
  return key === undefined || key === "" ? text : text.replaceAll(key, "[key]");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...toFields(value) } : {};
}

function toFields(value: object): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of ["status", "error", "headers", "message", "code", "type"])
    if (name in value) fields[name] = (value as Record<string, unknown>)[name];
  return fields;
}
