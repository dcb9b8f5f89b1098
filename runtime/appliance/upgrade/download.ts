import { createHash } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";

export interface Download {
  readonly url: string;
  readonly request: typeof fetch;
  /** Where it lies when it is whole; what came so far is beside it, `.part`, and is gone on with. */
  readonly file: string;
  readonly maxBytes: number;
  /** Known from a channel; then anything else is refused. */
  readonly sha256?: string | undefined;
  /** A server that sends nothing for this long is given up, and asked again. */
  readonly stallMs: number;
  readonly attempts: number;
  readonly onBytes: (done: number, total: number | undefined) => void;
  readonly signal: AbortSignal;
}

const OP = "download";

/**
 * Fetches a file over HTTP, going on where it was cut: by a stall, an error, or an earlier call. Throws `unavailable` when the attempts
 * are used up, `invalid_file` for what is too long, shorter than its server said, or not what the checksum says.
 */
export async function download(wanted: Download): Promise<void> {
  await mkdir(dirname(wanted.file), { recursive: true, mode: 0o700 });
  const part = `${wanted.file}.part`;
  let problem = "";
  for (let attempt = 0; attempt < wanted.attempts; attempt += 1) {
    wanted.signal.throwIfAborted();
    const outcome = await fetchRest(wanted, part);
    if (outcome === "whole") {
      await check(wanted, part);
      await rename(part, wanted.file);
      return;
    }
    problem = outcome.problem;
  }
  throw new AgentdError("unavailable", OP, `${wanted.url}: ${problem}`, {
    hint: "Ask again: what has come so far is kept and gone on with.",
  });
}

type Outcome = "whole" | { readonly problem: string };

/** One request for what is missing. */
async function fetchRest(wanted: Download, part: string): Promise<Outcome> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), wanted.stallMs);
  try {
    const signal = AbortSignal.any([wanted.signal, stalled.signal]);
    return await transfer(wanted, part, signal, () => timer.refresh());
  } catch (thrown) {
    if (thrown instanceof AgentdError) {
      await rm(part, { force: true });
      throw thrown;
    }
    wanted.signal.throwIfAborted();
    if (stalled.signal.aborted) return { problem: `nothing came for ${wanted.stallMs / 1000} s` };
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    return { problem: errorText(cause) };
  } finally {
    clearTimeout(timer);
  }
}

async function transfer(
  wanted: Download,
  part: string,
  signal: AbortSignal,
  alive: () => void,
): Promise<Outcome> {
  const from = await sizeOf(part);
  const headers = from > 0 ? { range: `bytes=${from}-` } : {};
  const response = await wanted.request(wanted.url, { headers, signal });
  // All of it is there already, or the file has become a shorter one: the checks say which.
  if (response.status === 416 && from > 0) return "whole";
  if (!response.ok || response.body === null)
    return { problem: `the server said ${response.status}` };
  const begin = response.status === 206 ? from : 0;
  const total = lengthOf(response, begin);
  if ((total ?? 0) > wanted.maxBytes) throw tooLong(wanted);
  await using target = await open(part, begin > 0 ? "r+" : "w", 0o600);
  let at = begin;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    alive();
    if (at + chunk.byteLength > wanted.maxBytes) throw tooLong(wanted);
    await target.write(chunk, 0, chunk.byteLength, at);
    at += chunk.byteLength;
    wanted.onBytes(at, total);
  }
  await target.sync();
  if (total === undefined || at === total) return "whole";
  return { problem: `it ended after ${at} of ${total} bytes` };
}

async function check({ file, url, sha256 }: Download, part: string): Promise<void> {
  if (sha256 === undefined) return;
  await using handle = await open(part, "r");
  const sum = createHash("sha256");
  for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>)
    sum.update(chunk);
  const found = sum.digest("hex");
  if (found === sha256) return;
  await rm(part, { force: true });
  throw new AgentdError(
    "invalid_file",
    OP,
    `${url} has not the checksum that its channel says (${file})`,
    {
      hint: "The server has another file, or it was changed on its way; it was deleted here.",
    },
  );
}

function lengthOf(response: Response, begin: number): number | undefined {
  const length = response.headers.get("content-length");
  return length === null ? undefined : begin + Number(length);
}

function tooLong({ url, maxBytes }: Download): AgentdError {
  return new AgentdError("invalid_file", OP, `${url} is longer than ${maxBytes} bytes`, {
    hint: "There is no room for it, or it is no bundle.",
  });
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}
