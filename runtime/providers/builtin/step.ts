import { oneLine } from "../../base/text.js";
import type { Json } from "../../protocol/json.js";
import type { ToolCallRequest } from "../../protocol/message.js";
import type { ModelRequest, ModelTask } from "../../protocol/model.js";
import { writeDocument, writeNotes } from "./document.js";
import { parseGoal, topicOf } from "./goal.js";
import { type Operation, operationOf } from "./operation.js";
import { readSource, type Source } from "./source.js";
import { readTranscript, type Transcript, textOfRead } from "./transcript.js";

type StepTask = Extract<ModelTask, { kind: "step" }>;

export type StepReply =
  | { readonly kind: "calls"; readonly calls: readonly ToolCallRequest[] }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "not_understood"; readonly why: string };

/** What a step comes down to, whatever its role. */
interface Job {
  readonly form: "notes" | "document";
  readonly operation: Operation;
  readonly topic: ReadonlySet<string>;
  readonly title: string;
  readonly files: readonly string[];
  readonly urls: readonly string[];
  /** None: the text itself is the reply. */
  readonly output: string | undefined;
}

/** Parts of one file that are asked for, at most: about 16,000 lines. */
const MAX_READS = 8;
const LINES = 2_000;
/** A write that may succeed the second time. */
const TRANSIENT = /^(failed|timeout|unavailable)$/;

/**
 * The next turn of a step, played by rules through the real tools: read every input, write the output once, then reply with its
 * path alone. A missing input or a refused write ends in an `ERROR:` reply, as the roles' contracts say.
 */
export function playStep(task: StepTask, request: ModelRequest): StepReply {
  const job = jobOf(task);
  if (typeof job === "string") return { kind: "not_understood", why: job };
  const transcript = readTranscript(request.messages);
  const missing = firstMissing(job, transcript);
  if (missing !== undefined) return { kind: "text", text: `ERROR: missing input ${missing}` };
  const pending = pendingCalls(job, transcript);
  if (pending.length > 0) return { kind: "calls", calls: withIds(pending, transcript) };
  if (job.output === undefined) return { kind: "text", text: compose(job, transcript) };
  return writeOrEnd(job, job.output, transcript);
}

function writeOrEnd(job: Job, output: string, transcript: Transcript): StepReply {
  const last = transcript.writes.at(-1);
  if (last?.ok === true) return { kind: "text", text: output };
  if (last !== undefined && (transcript.writes.length > 1 || !TRANSIENT.test(last.kind)))
    return { kind: "text", text: `ERROR: cannot write ${output}: ${oneLine(last.error, 200)}` };
  const input = { path: output, content: compose(job, transcript) };
  return { kind: "calls", calls: withIds([{ name: "file_write", input }], transcript) };
}

function jobOf(task: StepTask): Job | string {
  const { params } = task;
  const inputs = listOf(params["inputs"]);
  if (inputs.length === 0) return jobOfGoal(task);
  const question = textOf(params["question"]);
  const title = textOf(params["title"]);
  const isNotes = task.role === "analyzer" || question !== "";
  const named = operationOf(title);
  return {
    form: isNotes ? "notes" : "document",
    operation: named === "collect" ? operationOf(`${question} ${task.goal}`) : named,
    topic: new Set(topicOf(withoutPlaces(question === "" ? task.goal : question))),
    title: title === "" ? question : title,
    files: inputs,
    urls: [],
    output: optional(textOf(params["output"])),
  };
}

/** A step that has only its goal: understood as a whole goal is. */
function jobOfGoal(task: StepTask): Job | string {
  const described = textOf(task.params["task_description"]);
  const parsed = parseGoal(described === "" ? task.goal : described);
  if (!parsed.ok) return parsed.why;
  const { operation, output, sources, topic } = parsed.goal;
  const workspace = textOf(task.params["workspace"]);
  const target = output ?? (workspace === "" ? undefined : `${workspace}/output.md`);
  if (target?.startsWith("{run}/") === true && workspace === "")
    return "it names no absolute path to write to";
  return {
    form: "document",
    operation,
    topic: new Set(topic),
    title: oneLine(described === "" ? task.goal : described, 120),
    files: sources.filter((source) => source.kind === "path").map((source) => source.where),
    urls: sources.filter((source) => source.kind === "url").map((source) => source.where),
    output: target?.replace("{run}", workspace),
  };
}

function firstMissing(job: Job, transcript: Transcript): string | undefined {
  for (const path of job.files) {
    const error = transcript.reads.get(path)?.error;
    if (error !== undefined) return `${path} (${oneLine(error, 200)})`;
  }
  for (const url of job.urls) {
    const page = transcript.pages.get(url);
    if (page !== undefined && "error" in page) return `${url} (${oneLine(page.error, 200)})`;
  }
  return undefined;
}

type Call = Pick<ToolCallRequest, "name" | "input">;

function pendingCalls(job: Job, transcript: Transcript): Call[] {
  const calls: Call[] = [];
  for (const path of job.files) {
    const state = transcript.reads.get(path);
    if (state === undefined) calls.push({ name: "file_read", input: { path } });
    else if (!state.done && state.calls < MAX_READS) {
      const offset = Math.max(0, ...state.lines.keys()) + 1;
      calls.push({ name: "file_read", input: { path, offset, limit: LINES } });
    }
  }
  for (const url of job.urls)
    if (!transcript.pages.has(url)) calls.push({ name: "web_fetch", input: { url } });
  return calls;
}

function withIds(calls: readonly Call[], transcript: Transcript): ToolCallRequest[] {
  return calls.map((call, index) => ({ id: `builtin_${transcript.calls + index + 1}`, ...call }));
}

function compose(job: Job, transcript: Transcript): string {
  const sources: Source[] = job.files.map((path) => {
    const state = transcript.reads.get(path);
    return readSource(path, state === undefined ? "" : textOfRead(state));
  });
  for (const url of job.urls) {
    const page = transcript.pages.get(url);
    if (page !== undefined && !("error" in page))
      sources.push({ ...readSource(url, page.body), title: page.title, link: page.url });
  }
  return job.form === "notes"
    ? writeNotes(job.title, job.topic, sources)
    : writeDocument({ title: job.title, operation: job.operation, topic: job.topic, sources });
}

/** URLs and paths are no topic. */
function withoutPlaces(text: string): string {
  return text.replace(/https?:\/\/\S+|(?<!\w)\/\S+/g, " ");
}

function listOf(value: Json | undefined): string[] {
  if (typeof value === "string" && value !== "") return [value];
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function optional(text: string): string | undefined {
  return text === "" ? undefined : text;
}
