import { isOperationWord, type Operation, operationOf } from "./operation.js";
import { findReferences, type Reference } from "./references.js";
import { stems } from "./words.js";

/** A goal that was understood. */
export interface Goal {
  readonly operation: Operation;
  readonly sources: readonly GoalSource[];
  /** Where the result goes: an absolute path or `{run}/…`; null where the goal names none. */
  readonly output: string | null;
  /** What the goal asks about beside its sources, as stems. */
  readonly topic: readonly string[];
}

export interface GoalSource {
  readonly kind: "url" | "path";
  readonly where: string;
}

export type GoalResult =
  | { readonly ok: true; readonly goal: Goal }
  | { readonly ok: false; readonly why: string };

const MAX_SOURCES = 60;
/** How far before a place the verb that leads to it is looked for. */
const LEAD_CHARS = 400;
const READ_VERB = /^(fetch|get|download|retrieve|read|load|open|visit|grab|take|pull|look|see)$/i;
const WRITE_VERB =
  /\b(write|save|store|put|output|export|produce|create|record|make|generate|deliver|place|send the result|into)\b/i;
const FILLER =
  /^(please|kindly|can|could|would|you|i|want|need|like|to|now|first|then|next|also|finally|afterwards|after|that|for|me|us|from|using|with|given|based|on|out|up|both)$/i;
/** What a clause may begin with when it goes on with what the one before asked for. */
const CONTINUATION =
  /^(the|a|an|its|their|his|her|our|your|my|what|which|how|why|who|where|when|whether|all|each|every|any|in|into|to|as|at|of|about|by|or|not|no|only|is|are|it|they|them|this|these|those|between|including|especially|such|one|two|three|top|\d+)$/i;
/** Verbs of goals that need a model or another tool: better refused than done halfway. */
const BEYOND =
  /^(translate|delete|remove|erase|run|execute|install|compile|build|fix|refactor|deploy|email|mail|post|publish|commit|push|rename|move|copy|convert|calculate|compute|sort|count|plot|draw|paint|code|program|implement|debug|test|search|google|monitor|watch|schedule|buy|book|order|call|phone|answer|explain|design|invent|compose|improve|rewrite|edit|change|update|modify|merge|upload|solve|prove|train|classify|rank|recommend|decide|plan|negotiate|hack|think|sing|play|notify|send|reply)$/i;

/** Understands a goal that names its URLs or files and says what to do with them; or tells why it does not. Pure. */
export function parseGoal(text: string): GoalResult {
  const { masked, references } = findReferences(text);
  if (references.length > 2 * MAX_SOURCES)
    return refuse(`it names more than ${MAX_SOURCES} sources`);
  const unknown = unknownClause(masked);
  if (unknown !== undefined) return refuse(`"${unknown}" is beyond what it can do`);
  const outputs = outputIndexes(masked, references);
  if (outputs.length > 1) return refuse("it names more than one output");
  const output = references[outputs[0] ?? -1];
  if (output?.kind === "url") return refuse("a result cannot be written to a URL");
  const inputs = references.filter((_, index) => !outputs.includes(index));
  const wrong = inputs.find((input) => !isSource(input));
  if (wrong !== undefined)
    return refuse(`"${wrong.where}" is no URL and no absolute path of a file`);
  const sources = unique(inputs);
  if (sources.length === 0) return refuse("it names no URL and no file to work from");
  if (sources.length > MAX_SOURCES) return refuse(`it names more than ${MAX_SOURCES} sources`);
  const operation = operationOf(masked);
  if (operation === "compare" && sources.length < 2)
    return refuse("a comparison needs two sources or more");
  return {
    ok: true,
    goal: {
      operation,
      sources,
      output: output === undefined ? null : outputPath(output, operation),
      topic: topicOf(masked),
    },
  };
}

/** The words of a text that are no verbs and no furniture of goals: what it asks about. Stems. */
export function topicOf(text: string): string[] {
  const words = text.replace(MASK, " ").split(/[^\p{L}\p{N}'-]+/u);
  const topical = words.filter(
    (word) =>
      !isOperationWord(word) &&
      !READ_VERB.test(word) &&
      !WRITE_VERB.test(word) &&
      !FURNITURE.test(word),
  );
  return [...new Set(stems(topical.join(" ")))];
}

const MASK = /\ue000\d+\ue001/g;
const FURNITURE =
  /^(pages?|files?|articles?|documents?|texts?|sites?|websites?|urls?|links?|results?|sources?|contents?|markdown|md|paragraphs?|sentences?|short|brief|comparison|summary|findings?|notes?|please|goal|main|key|points?|say|says|serves?|source|give|full|new)$/i;

function refuse(why: string): GoalResult {
  return { ok: false, why };
}

/** The beginning of a clause that asks for something not known here. */
function unknownClause(masked: string): string | undefined {
  const clauses = masked
    .split(/[,;:\n()]|[.!?](?=\s|$)|\band\b|\bthen\b|&|\bbefore\b/i)
    .map((clause) => clause.trim().split(/\s+/))
    .map((words) => words.slice(words.findIndex((word) => !FILLER.test(word))));
  for (const [index, words] of clauses.entries()) {
    const [first = "", second = ""] = words;
    const word = first.replace(/[^\p{L}\p{N}'-]/gu, "");
    if (word === "" || first.startsWith("\ue000") || isVerb(word)) continue;
    if (BEYOND.test(word)) return excerpt(words);
    if (CONTINUATION.test(word)) continue;
    const commands =
      /^(it|them|this|that|these|those|both|each|all|me|the|a|an|every|\ue000)/i.test(second);
    if (index === 0 || commands) return excerpt(words);
  }
  return undefined;
}

function isVerb(word: string): boolean {
  return (
    READ_VERB.test(word) ||
    WRITE_VERB.test(word) ||
    isOperationWord(word) ||
    /^(give|show|tell)$/i.test(word)
  );
}

function excerpt(words: readonly string[]): string {
  return words.slice(0, 4).join(" ").replace(MASK, "…").slice(0, 60);
}

/** Which references are outputs: those that a writing verb leads to, and those that "to", "into" or "as" lead to after any verb but "compare". */
function outputIndexes(masked: string, references: readonly Reference[]): number[] {
  const outputs: number[] = [];
  let before = "";
  let previousIsOutput = false;
  for (const [index, piece] of masked.split(MASK).slice(0, references.length).entries()) {
    const joins = /^\s*(,|and|&|or|plus|,\s*and)?\s*$/i.test(piece) && index > 0;
    const isOutput: boolean = joins
      ? previousIsOutput
      : references[index]?.kind !== "url" && leadsToOutput(piece, before);
    if (isOutput) outputs.push(index);
    previousIsOutput = isOutput;
    before = (before + piece).slice(-LEAD_CHARS);
  }
  return outputs;
}

function leadsToOutput(lead: string, before: string): boolean {
  const text = lead
    .slice(-LEAD_CHARS)
    .replace(/["'`(<[\s:]+$/g, "")
    .replace(/\s+(the\s+)?(file|path|document)$/i, "");
  if (/\b(of|from|about|on|for|with|in both|between)$/i.test(text)) return false;
  if (WRITE_VERB.test(text)) return true;
  const verbs = `${before} ${text}`;
  if (!/\b(to|into|as|in|at)$/i.test(text)) return false;
  return /\b(to|into|as)$/i.test(text)
    ? !/\bcompar\w*[^,.;]*$/i.test(verbs) || WRITE_VERB.test(verbs)
    : WRITE_VERB.test(before) && !/\b(described|found|mentioned)\s+in$/i.test(text);
}

function isSource(reference: Reference): boolean {
  if (reference.kind === "url") return true;
  return reference.kind === "path" && !/[*?]|\/$/.test(reference.where);
}

function outputPath(output: Reference, operation: Operation): string {
  const where = output.kind === "relative" ? `{run}/${output.where}` : output.where;
  return where.endsWith("/") ? `${where}${operation}.md` : where;
}

function unique(inputs: readonly Reference[]): GoalSource[] {
  const seen = new Map<string, GoalSource>();
  for (const { kind, where } of inputs)
    if (!seen.has(where)) seen.set(where, { kind: kind === "url" ? "url" : "path", where });
  return [...seen.values()];
}
