import type { Json } from "../protocol/json.js";
import type {
  ScriptedReply,
  ScriptedRequest,
  ScriptedRule,
  ScriptedTurn,
} from "../test/scripted-script.js";

/**
 * A planner and its agents that work from what they are asked, as a well-behaved model would: the planner makes two steps a URL
 * and a writer; an agent reads all its inputs in one turn, writes what it has read in the next, and answers with the path.
 */
export function scriptedTeam(delayMs = 0): readonly ScriptedRule[] {
  const rule = (system: RegExp, reply: ScriptedReply): ScriptedRule => ({
    match: { system },
    ...(delayMs === 0 ? {} : { delayMs }),
    reply,
  });
  return [
    rule(PLANNER, (request) => JSON.stringify(comparison(goalOf(request)))),
    rule(ANALYZER, workOn),
    rule(WRITER, workOn),
  ];
}

/** How the system prompts of the planner and of the vendor roles begin. */
export const PLANNER = /^You turn a goal into a plan/;
export const ANALYZER = /^Reads given files, answers one question/;
export const WRITER = /^Reads given files and writes one finished document/;
export const GENERALIST = /^Carries out an open-ended task/;

interface PlannedStep {
  readonly id: string;
  readonly role: string;
  readonly params: Readonly<Record<string, Json>>;
  readonly depends_on?: readonly string[];
}

interface ScriptedPlan {
  readonly steps: readonly PlannedStep[];
  readonly final_output: string;
}

export function goalOf(request: ScriptedRequest): string {
  return /GOAL\n([\s\S]*?)(?:\n\nThe previous plan|$)/.exec(request.all)?.[1] ?? "";
}

export function isReplan(request: ScriptedRequest): boolean {
  return request.all.includes("The previous plan did not work out");
}

/** Fetch and read every URL of the goal side by side, then write one document. */
export function comparison(goal: string): ScriptedPlan {
  const urls = goal.match(/https?:\/\/[^\s,]+/g) ?? [];
  const output = / (\/\S+)$/.exec(goal)?.[1] ?? "{run}/output.md";
  const each = urls.map((url, index) => fetchAndRead(url, index + 1));
  const inputs = each.map(({ notes }) => notes);
  return {
    steps: [
      ...each.flatMap(({ steps }) => steps),
      {
        id: "write",
        role: "writer",
        params: { inputs, output, title: "The comparison" },
        depends_on: each.map((_, index) => `read-${index + 1}`),
      },
    ],
    final_output: output,
  };
}

/** The two steps of one URL and the file that they leave for the writer. */
function fetchAndRead(
  url: string,
  number: number,
): { readonly steps: readonly PlannedStep[]; readonly notes: string } {
  const page = `{run}/page-${number}.md`;
  const notes = `{run}/notes-${number}.md`;
  return {
    notes,
    steps: [
      { id: `fetch-${number}`, role: "fetcher", params: { url, output: page } },
      {
        id: `read-${number}`,
        role: "analyzer",
        params: { inputs: [page], question: "What does the page say?", output: notes },
        depends_on: [`fetch-${number}`],
      },
    ],
  };
}

/** The next turn of an analyzer or a writer: read, then write, then answer. */
export function workOn(request: ScriptedRequest): ScriptedTurn {
  const inputs = inputsOf(request);
  const output = outputOf(request);
  const results = request.tool_results;
  if (results.length < inputs.length)
    return {
      tool_calls: inputs.map((path) => ({ name: "file_read", input: { path } })),
      usage: { input: 100, output: 20 },
    };
  const failure = results.find((text) => text.startsWith('{"error"'));
  if (failure !== undefined) return { text: `ERROR: ${failure}` };
  if (results.length > inputs.length) return { text: output, usage: { input: 300, output: 10 } };
  const content = `# Findings\n\n${results.map(textOfResult).join("\n\n")}\n`;
  return {
    tool_calls: [{ name: "file_write", input: { path: output, content } }],
    usage: { input: 200, output: 100 },
  };
}

function inputsOf(request: ScriptedRequest): readonly string[] {
  const line = /\nInputs: (.*)/.exec(request.all)?.[1] ?? "";
  return line.split(",").map((path) => path.trim());
}

export function outputOf(request: ScriptedRequest): string {
  return /\nWrite (?:your findings to|it to): (.*)/.exec(request.all)?.[1]?.trim() ?? "";
}

/** What was read, without the line numbers. */
function textOfResult(text: string): string {
  const parsed = JSON.parse(text) as { readonly content?: string };
  return (parsed.content ?? "").replace(/^ *\d+\t/gm, "").trim();
}
