import type Anthropic from "@anthropic-ai/sdk";
import type { ModelRequest, ModelStream, Usage } from "../protocol/model.js";
import {
  type AnthropicDraft,
  addStreamEvent,
  addWholeMessage,
  anthropicDraft,
  collectedMessage,
} from "./anthropic-collect.js";
import { anthropicBody } from "./anthropic-wire.js";
import { type ApiOptions, NO_TIMEOUT_MS } from "./api-options.js";
import type { Attempt, AttemptEvent, Connection } from "./attempt.js";
import { estimateTokens, type Price, priced } from "./cost.js";
import { failed, failedBy, failedCall } from "./failure.js";
import { type IdleWatch, startIdleWatch, watchedFetch } from "./idle-watch.js";
import { replyEvent } from "./reply.js";
import { withRetry } from "./retry.js";
import { namesOfRequest, type ToolNames } from "./tool-names.js";

/** Messages. `json_object` does not exist there, so it is unsupported without a call. */
export function anthropicStream(options: ApiOptions): ModelStream {
  const attempt: Attempt = async function* attempt(request, signal) {
    const { connection } = options;
    if (request.structured?.by === "json_object") {
      yield failed(failedCall(request, connection), "unsupported", "Messages has no json_object");
      return;
    }
    const watch = startIdleWatch(signal, connection.timeout_ms);
    const names = namesOfRequest(request);
    const draft = anthropicDraft();
    try {
      yield* readMessage(request, names, draft, options, watch);
      yield endOf(draft, request, names, options, watch);
    } catch (thrown) {
      const used = draft.counted ? usageOf(draft, request, options.price) : undefined;
      yield failedBy(thrown, failedCall(request, connection, used), watch);
    } finally {
      watch.stop();
    }
  };
  return withRetry(attempt, options.retry);
}

async function* readMessage(
  request: ModelRequest,
  names: ToolNames,
  draft: AnthropicDraft,
  options: ApiOptions,
  watch: IdleWatch,
): AsyncGenerator<AttemptEvent> {
  const client = await anthropicClient(options.connection, watch);
  const body = anthropicBody(request, names, options.thinkingOff(request));
  const { data, response } = await client.messages
    .create(body, { signal: watch.signal })
    .withResponse();
  if ((response.headers.get("content-type") ?? "").includes("application/json")) {
    addWholeMessage(draft, (await response.json()) as Anthropic.Message);
    return;
  }
  for await (const event of data) yield* addStreamEvent(draft, event);
}

/** The key is passed in even where there is none, so that the package looks for one nowhere else. Loaded when first needed: 10 MB. */
async function anthropicClient(connection: Connection, watch: IdleWatch): Promise<Anthropic> {
  const { default: Anthropic } = await import("@anthropic-ai/sdk");
  return new Anthropic({
    apiKey: connection.key ?? "none",
    webhookKey: null,
    baseURL: connection.base_url,
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    logLevel: "off",
    fetch: watchedFetch(connection.fetch, watch.touch),
    ...(connection.key === undefined ? { defaultHeaders: { Authorization: null } } : {}),
  });
}

function endOf(
  draft: AnthropicDraft,
  request: ModelRequest,
  names: ToolNames,
  options: ApiOptions,
  watch: IdleWatch,
): AttemptEvent {
  const usage = usageOf(draft, request, options.price);
  const call = failedCall(request, options.connection, usage);
  if (watch.ended() !== undefined) return failedBy(undefined, call, watch);
  if (draft.stop === undefined && !draft.ended)
    return draft.counted || draft.blocks.size > 0
      ? failed(call, "network", "the stream ended before the reply was complete")
      : failed(call, "garbage", "the answer holds no message");
  return replyEvent(collectedMessage(draft), request, names, usage);
}

function usageOf(draft: AnthropicDraft, request: ModelRequest, price: Price): Usage {
  if (draft.counted) return priced(draft.input, draft.output, price);
  const output = [...draft.blocks.values()].map((entry) => JSON.stringify(entry.block)).join("");
  return priced(estimateTokens(JSON.stringify(request.messages)), estimateTokens(output), price);
}
