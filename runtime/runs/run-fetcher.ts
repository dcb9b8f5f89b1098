import { z } from "zod";
import type { FailureClass } from "../protocol/step.js";
import { approvalRules } from "./approvals/approval-rules.js";
import { callWithApproval } from "./approvals/call-with-approval.js";
import { toolCallDeps } from "./call-tool.js";
import type { AgentReply, StepWork } from "./step-work.js";

/** Most of a page that is kept. Bytes. */
const MAX_PAGE_BYTES = 1_000_000;

const Page = z.object({
  status: z.number(),
  url: z.string().optional(),
  title: z.string().nullish(),
  body: z.string(),
  truncated: z.boolean(),
});

/**
 * The fetcher scaffold: one page into one file, without a model, through the same tools, tokens and journal as any agent. After a
 * crash it begins anew unless the file was written: to fetch changes nothing, and to write the same file whole leaves one. The
 * file begins with the page's title and where it came from. Source of the contract: a 2xx answer with a body, or a failure.
 */
export async function runFetcher(work: StepWork, signal: AbortSignal): Promise<AgentReply> {
  const url = String(work.params["url"] ?? "");
  const output = String(work.params["output"] ?? "");
  const { record } = work.agent;
  if (hasWritten(work)) return { ok: true, text: output };
  await record({ kind: "agent_execution_started", message_preview: `fetch ${url}`.slice(0, 100) });
  const reply = await fetchToFile(url, output, work, signal);
  await record({
    kind: "agent_execution_completed",
    stop_reason: reply.ok ? "complete" : "error",
    total_iterations: 1,
    ...(reply.ok ? {} : { message: reply.failure.message }),
  });
  return reply;
}

function hasWritten({ history }: StepWork): boolean {
  return [...history.invoked.values()].some(
    ({ tool, success }) => tool === "file_write" && success === true,
  );
}

async function fetchToFile(
  url: string,
  output: string,
  work: StepWork,
  signal: AbortSignal,
): Promise<AgentReply> {
  const { run, agent } = work;
  const deps = toolCallDeps(run);
  const caller = { agent, rules: approvalRules(work.role, run.deps.settings) };
  const call = async (name: string, input: Record<string, string | number>) => {
    const request = { id: `${work.step.id}-${name}`, name, input };
    const { result, tell } = await callWithApproval(caller, request, deps, signal);
    await tell();
    return result;
  };
  const fetched = await call("web_fetch", { url, max_bytes: MAX_PAGE_BYTES });
  signal.throwIfAborted();
  if (!fetched.ok)
    return failed(`cannot fetch ${url}: ${fetched.error.message}`, classOf(fetched.error.kind));
  const page = Page.parse(fetched.output);
  if (page.status < 200 || page.status > 299) {
    return failed(
      `${url} answered ${page.status}`,
      page.status >= 500 || page.status === 429 ? "retry" : "replan",
    );
  }
  if (page.body.trim() === "") return failed(`${url} answered with an empty page`, "replan");
  const written = await call("file_write", { path: output, content: document(url, page) });
  signal.throwIfAborted();
  if (!written.ok) return failed(`cannot write ${output}: ${written.error.message}`, "replan");
  return { ok: true, text: output };
}

function document(url: string, page: z.infer<typeof Page>): string {
  const heading =
    page.title === undefined || page.title === null || page.title.trim() === ""
      ? url
      : page.title.trim();
  const cut = page.truncated
    ? `\n\n(The page was longer; it was cut at ${MAX_PAGE_BYTES} bytes.)`
    : "";
  return `# ${heading.replace(/\s+/g, " ")}\nSource: ${page.url ?? url}\n\n${page.body}${cut}\n`;
}

function classOf(kind: string): FailureClass {
  return kind === "timeout" || kind === "unavailable" ? "retry" : "replan";
}

function failed(message: string, failureClass: FailureClass): AgentReply {
  return { ok: false, failure: { code: "step_failed", message, class: failureClass } };
}
