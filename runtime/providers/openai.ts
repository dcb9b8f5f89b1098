import type OpenAI from "openai";
import type { ModelRequest, ModelStream, Usage } from "../protocol/model.js";
import { type ApiOptions, NO_TIMEOUT_MS } from "./api-options.js";
import type { Attempt, AttemptEvent, Connection } from "./attempt.js";
import { estimateTokens, type Price, priced } from "./cost.js";
import { failed, failedBy, failedCall, refusalText } from "./failure.js";
import { type IdleWatch, startIdleWatch, watchedFetch } from "./idle-watch.js";
import {
  addChunk,
  collected,
  type OpenaiDraft,
  openaiDraft,
  wholeAnswer,
} from "./openai-collect.js";
import { adaptDialect, FIRST_DIALECT } from "./openai-dialect.js";
import { type OpenaiBody, openaiBody } from "./openai-wire.js";
import { replyEvent } from "./reply.js";
import { withRetry } from "./retry.js";
import { namesOfRequest, type ToolNames } from "./tool-names.js";

/**
 * Chat Completions at any base URL. Reasoning is given back on tool-call turns; what a server turns out not to know
 * (`max_tokens`, `stream_options`) is left out from then on.
 */
export function openaiStream(options: ApiOptions): ModelStream {
  let dialect = FIRST_DIALECT;
  /** Whether the refusal taught a dialect to try at once. */
  const learn = (thrown: unknown): boolean => {
    const adapted = adaptDialect(dialect, refusalText(thrown) ?? "");
    dialect = adapted ?? dialect;
    return adapted !== undefined;
  };
  const attempt: Attempt = async function* attempt(request, signal) {
    const { connection } = options;
    const watch = startIdleWatch(signal, connection.timeout_ms);
    const names = namesOfRequest(request);
    let draft = openaiDraft();
    try {
      const client = await openaiClient(connection, watch);
      const body = (): OpenaiBody =>
        openaiBody(request, names, dialect, options.thinkingOff(request));
      while (!(yield* readAnswer(client, body(), draft, watch, learn))) draft = openaiDraft();
      yield endOf(draft, request, names, options, watch);
    } catch (thrown) {
      yield failedBy(thrown, failedCall(request, connection), watch);
    } finally {
      watch.stop();
    }
  };
  return withRetry(attempt, options.retry);
}

/** The package is loaded when first needed: 10 MB. */
async function openaiClient(connection: Connection, watch: IdleWatch): Promise<OpenAI> {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({
    apiKey: connection.key ?? "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: connection.base_url,
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    logLevel: "off",
    fetch: watchedFetch(connection.fetch, watch.touch),
    ...(connection.key === undefined ? { defaultHeaders: { Authorization: null } } : {}),
  });
}

/** Reads one answer into the draft. False: the server refused the dialect, and `learn` knows a better one. */
async function* readAnswer(
  client: OpenAI,
  body: OpenaiBody,
  draft: OpenaiDraft,
  watch: IdleWatch,
  learn: (thrown: unknown) => boolean,
): AsyncGenerator<AttemptEvent, boolean> {
  try {
    const { data, response } = await client.chat.completions
      .create(body, { signal: watch.signal })
      .withResponse();
    if ((response.headers.get("content-type") ?? "").includes("application/json"))
      yield* addChunk(draft, wholeAnswer((await response.json()) as OpenAI.ChatCompletion));
    else for await (const chunk of data) yield* addChunk(draft, chunk);
    return true;
  } catch (thrown) {
    if (learn(thrown)) return false;
    throw thrown;
  }
}

function endOf(
  draft: OpenaiDraft,
  request: ModelRequest,
  names: ToolNames,
  options: ApiOptions,
  watch: IdleWatch,
): AttemptEvent {
  const usage = usageOf(draft, request, options.price);
  const call = failedCall(request, options.connection, usage);
  if (watch.ended() !== undefined) return failedBy(undefined, call, watch);
  const problem = problemOf(draft);
  if (problem !== undefined) return failed(call, problem.kind, problem.what);
  return replyEvent(collected(draft), request, names, usage);
}

/** A stream may end without an error and without a reply: cut off, no event stream at all, or out of resources. */
function problemOf(
  draft: OpenaiDraft,
): { readonly kind: "garbage" | "network" | "overloaded"; readonly what: string } | undefined {
  if (draft.finish === "insufficient_system_resource")
    return { kind: "overloaded", what: "the server ran out of resources in the middle of a reply" };
  if (draft.finish !== undefined) return undefined;
  const nothing = draft.text === "" && draft.calls.length === 0 && draft.reasoning === undefined;
  return nothing
    ? { kind: "garbage", what: "the answer holds no chat completion" }
    : { kind: "network", what: "the stream ended before the reply was complete" };
}

function usageOf(draft: OpenaiDraft, request: ModelRequest, price: Price): Usage {
  if (draft.usage !== undefined) return priced(draft.usage.input, draft.usage.output, price);
  const output =
    draft.text + (draft.reasoning ?? "") + draft.calls.map((c) => c.arguments).join("");
  return priced(estimateTokens(JSON.stringify(request.messages)), estimateTokens(output), price);
}
