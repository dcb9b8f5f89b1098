import { type Dispatcher, request as httpRequest } from "undici";
import { errnoOf, errorText } from "../base/error-text.js";
import { clipBytes } from "../base/text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { PortFailure, PortResult, WebPage, WebRequest } from "../protocol/ports.js";
import { htmlToMarkdown } from "./html-to-markdown.js";
import { portFailure } from "./port-failure.js";
import { decodeText, readBody } from "./web-body.js";

/** HTML shrinks on its way to Markdown: this much of a page is read, whatever little of it is wanted. */
const MIN_HTML_BYTES = 4_194_304;
/** A body announced to be longer than this many times what is wanted is not begun. */
const MAX_OVERSIZE = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const TEXT_TYPE =
  /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml|yaml)$|application\/(?:x-)?(?:ndjson|javascript|ecmascript|toml|sh|yaml|www-form-urlencoded)$)|^image\/svg\+xml$/;

export type WebHop = WebPage | { readonly redirect: string; readonly status: number };

/**
 * GET of one hop through a dispatcher, with every size and time bounded; text only. A redirect is given back, never followed;
 * whatever goes wrong comes back as a failure. The caller owns the dispatcher.
 */
export async function webHop(
  dispatcher: Dispatcher,
  request: WebRequest,
  signal: AbortSignal,
): Promise<PortResult<WebHop>> {
  const timeout = AbortSignal.timeout(request.timeout_ms);
  try {
    return await hop(dispatcher, request, AbortSignal.any([signal, timeout]));
  } catch (thrown) {
    if (signal.aborted) return portFailure("failed", "stopped while under way");
    if (timeout.aborted) {
      return portFailure("timeout", `${request.url} took longer than ${request.timeout_ms} ms`);
    }
    return failureOf(thrown, request.url);
  }
}

async function hop(
  dispatcher: Dispatcher,
  request: WebRequest,
  signal: AbortSignal,
): Promise<PortResult<WebHop>> {
  const response = await httpRequest(request.url, {
    dispatcher,
    signal,
    headers: {
      "user-agent": "aaOS-agentd",
      accept: "text/html,application/xhtml+xml,application/json;q=0.9,text/*;q=0.9,*/*;q=0.5",
      "accept-encoding": "gzip, deflate, br",
    },
  });
  const status = response.statusCode;
  const location = headerText(response.headers["location"]);
  if (REDIRECTS.has(status) && location !== "") {
    response.body.on("error", () => undefined).destroy();
    if (!URL.canParse(location, request.url)) {
      return portFailure("failed", `${request.url} redirects to what is no URL`);
    }
    return { ok: true, value: { redirect: new URL(location, request.url).href, status } };
  }
  return page(response, request);
}

/** The answer of a site; what the egress proxy answered in its place is no page, whoever claims it. */
async function page(
  response: Dispatcher.ResponseData,
  request: WebRequest,
): Promise<PortResult<WebHop>> {
  const refused = headerText(response.headers["x-aaos-egress"]);
  // Only a word of the proxy's own vocabulary: a site that sends this field is not quoted.
  if (/^[a-z_]{1,32}$/.test(refused)) {
    response.body.on("error", () => undefined).destroy();
    return portFailure("unavailable", `${request.url} cannot be fetched: ${refused}`);
  }
  const contentType = headerText(response.headers["content-type"]);
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const asMarkdown =
    request.as === "markdown" && /^(?:text\/html|application\/xhtml\+xml)$/.test(type);
  const wanted = asMarkdown ? Math.max(request.max_bytes, MIN_HTML_BYTES) : request.max_bytes;
  const refusal = refuse(response, type, request, wanted);
  if (refusal) {
    response.body.on("error", () => undefined).destroy();
    return refusal;
  }
  const encoding = headerText(response.headers["content-encoding"]);
  const body = await readBody(response.body, encoding, wanted);
  if (type === "" && body.bytes.includes(0)) return notText(request.url, "binary data");
  const text = decodeText(body.bytes, contentType);
  const made = asMarkdown
    ? htmlToMarkdown(text, request.url)
    : { title: null, markdown: text, truncated: false };
  const clipped = clipBytes(made.markdown, request.max_bytes);
  const value = {
    status: response.statusCode,
    content_type: contentType,
    url: request.url,
    title: made.title,
    body: clipped,
    truncated: body.truncated || made.truncated || clipped.length < made.markdown.length,
    bytes_read: body.bytes.length,
  };
  return { ok: true, value };
}

/** What is told by the head alone: a body of the wrong kind, or one far too long. */
function refuse(
  response: Dispatcher.ResponseData,
  type: string,
  request: WebRequest,
  wanted: number,
): PortFailure | undefined {
  if (type !== "" && !TEXT_TYPE.test(type)) return notText(request.url, type);
  const announced = Number(headerText(response.headers["content-length"]));
  const most = Math.max(wanted, MAX_OVERSIZE * request.max_bytes);
  if (announced <= most || Number.isNaN(announced)) return undefined;
  const message = `${request.url} has ${announced} bytes, more than the ${most} that max_bytes allows`;
  return portFailure("too_large", message);
}

function notText(url: string, what: string): PortFailure {
  return portFailure("failed", `${url} is ${what}; only text, HTML, JSON and XML can be read`);
}

function headerText(header: string | readonly string[] | undefined): string {
  return typeof header === "string" ? header : (header?.[0] ?? "");
}

/** What a network does, in the words of a tool's answer. */
function failureOf(thrown: unknown, url: string): PortFailure {
  if (thrown instanceof AgentdError) throw thrown;
  const code = errnoOf(thrown) ?? "";
  if (/TIMEOUT/.test(code)) return portFailure("timeout", `${url} did not answer in time`);
  if (/CERT|TLS|SSL|SELF_SIGNED|VERIFY/.test(code)) {
    return portFailure(
      "unavailable",
      `${url} has no certificate that is trusted here: ${errorText(thrown)}`,
    );
  }
  const text = thrown instanceof AggregateError ? errorText(thrown.errors[0]) : errorText(thrown);
  return portFailure("unavailable", `${url} cannot be fetched: ${text}`);
}
