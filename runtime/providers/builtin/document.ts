import { escapeMarkdown, linkTarget } from "./markdown.js";
import type { Operation } from "./operation.js";
import { keySentences, likeness, type Sentence, sentencesOf } from "./rank.js";
import { notesTitle, type Source, termsLine } from "./source.js";
import { compareTerms, keyTerms } from "./terms.js";

const NOTICE =
  "> Made by aaOS's builtin rule-based writer, without a language model: sentences were chosen by statistics and are quoted word " +
  "for word; nothing was understood or checked. `agentd configure` sets up a model.";
const SENTENCES_ALONE = 8;
const SENTENCES_EACH = 5;
const MAX_ITEMS = 40;
const TERMS_SEEN = 30;
const TERMS_SHOWN = 8;

export interface DocumentRequest {
  readonly title: string;
  readonly operation: Operation;
  /** Stems of what is asked about. */
  readonly topic: ReadonlySet<string>;
  readonly sources: readonly Source[];
}

/** A Markdown document of quotations, each with a link to its source. The same input gives the same bytes. */
export function writeDocument(request: DocumentRequest): string {
  const { sources, operation } = request;
  const parts = [`# ${escapeMarkdown(request.title)}`, NOTICE];
  sources.forEach((source, index) => {
    parts.push(`## ${escapeMarkdown(source.title)} ${cite(sources, index)}`);
    parts.push(section(source, index, request));
  });
  if (operation === "compare") parts.push(...comparison(sources));
  parts.push("## Sources", sources.map(sourceLine).join("\n"));
  parts.push(sources.flatMap(definition).join("\n"));
  return `${parts.join("\n\n")}\n`;
}

/** An analyzer's notes on its inputs, for a writer to read: headed like a fetched page, so that the source is not lost. */
export function writeNotes(
  question: string,
  topic: ReadonlySet<string>,
  sources: readonly Source[],
): string {
  const first = sources[0];
  const parts = [
    `# ${escapeMarkdown(notesTitle(sources.map((source) => source.title).join(", ")))}\nSource: ${first?.link ?? ""}`,
    NOTICE,
    `> Question: ${escapeMarkdown(question)}`,
  ];
  for (const source of sources) {
    const sentences = keySentences(sentencesOf(source), topic, SENTENCES_ALONE);
    if (sources.length > 1) parts.push(`## ${escapeMarkdown(source.title)}`);
    parts.push(bullets(sentences.map((sentence) => escapeMarkdown(sentence.text))));
  }
  const terms = sources.flatMap((source) => keyTerms(source, TERMS_SEEN));
  parts.push(termsLine(terms.map((term) => escapeMarkdown(term.shown))));
  return `${parts.join("\n\n")}\n`;
}

function section(source: Source, index: number, request: DocumentRequest): string {
  const { operation, sources, topic } = request;
  const mark = cite(sources, index);
  if (operation === "outline") return outline(source);
  if (operation === "list" || operation === "extract") {
    const found = matching(source, topic, operation);
    if (found.length > 0) return bullets(found.map((text) => `${escapeMarkdown(text)} ${mark}`));
  }
  const count = sources.length === 1 ? SENTENCES_ALONE : SENTENCES_EACH;
  const sentences = keySentences(sentencesOf(source), topic, count);
  const lines = bullets(sentences.map((sentence) => `${escapeMarkdown(sentence.text)} ${mark}`));
  return operation === "extract"
    ? `Nothing matched the words asked for; the main sentences are:\n\n${lines}`
    : lines;
}

/** Headings as a nested list. */
function outline(source: Source): string {
  const headings = source.blocks.filter((block) => block.kind === "heading");
  if (headings.length === 0) return "The source has no headings.";
  const top = Math.min(...headings.map((heading) => heading.level));
  return headings
    .slice(0, MAX_ITEMS * 2)
    .map((heading) => `${"  ".repeat(heading.level - top)}- ${escapeMarkdown(heading.text)}`)
    .join("\n");
}

/** List items and sentences that hold a word of the topic; without a topic, the list items. */
function matching(source: Source, topic: ReadonlySet<string>, operation: Operation): string[] {
  const items = source.blocks.filter((block) => block.kind === "item").map((block) => block.text);
  if (topic.size === 0) return operation === "list" ? items.slice(0, MAX_ITEMS) : [];
  const sentences = sentencesOf(source)
    .filter((sentence) => [...sentence.vector.keys()].some((word) => topic.has(word)))
    .map((sentence) => sentence.text);
  return [...new Set(sentences.length > 0 ? sentences : operation === "list" ? items : [])].slice(
    0,
    MAX_ITEMS,
  );
}

function comparison(sources: readonly Source[]): string[] {
  const { common, only } = compareTerms(sources.map((source) => keyTerms(source, TERMS_SEEN)));
  const shared = common
    .slice(0, TERMS_SHOWN)
    .map(
      ({ term, sources: holders }) =>
        `**${escapeMarkdown(term.shown)}** ${holders.map((at) => cite(sources, at)).join(" ")}`,
    );
  const parts = [
    "## In common",
    shared.length > 0 ? bullets(shared) : "No frequent word is shared.",
  ];
  const pairs = nearest(sources);
  if (pairs.length > 0) parts.push("Sentences that say something alike:", pairs.join("\n"));
  sources.forEach((source, index) => {
    const words = (only[index] ?? [])
      .slice(0, TERMS_SHOWN)
      .map((term) => escapeMarkdown(term.shown));
    parts.push(`## Only in ${escapeMarkdown(source.title)} ${cite(sources, index)}`);
    parts.push(words.length > 0 ? words.join(", ") : "No frequent word stands here alone.");
  });
  return parts;
}

/** Pairs of sentences from two sources that share most words. */
function nearest(sources: readonly Source[]): string[] {
  const chosen = sources.map((source) => keySentences(sentencesOf(source), new Set(), 20));
  const pairs: {
    readonly a: Sentence;
    readonly b: Sentence;
    readonly i: number;
    readonly j: number;
    readonly score: number;
  }[] = [];
  chosen.forEach((left, i) => {
    for (const [offset, right] of chosen.slice(i + 1).entries())
      for (const a of left)
        for (const b of right) pairs.push({ a, b, i, j: i + 1 + offset, score: likeness(a, b) });
  });
  return pairs
    .filter((pair) => pair.score > 0.3)
    .sort((x, y) => y.score - x.score || x.i - y.i || x.j - y.j)
    .slice(0, 3)
    .map(
      ({ a, b, i, j }) =>
        `- ${escapeMarkdown(a.text)} ${cite(sources, i)}\n  - ${escapeMarkdown(b.text)} ${cite(sources, j)}`,
    );
}

/** `[n]`, which the definitions at the end make a link. Foreign text cannot hold one: its brackets are escaped. */
function cite(sources: readonly Source[], index: number): string {
  const target = linkTarget(sources[index]?.link ?? "");
  return target === undefined ? `(${index + 1})` : `[${index + 1}]`;
}

function sourceLine(source: Source, index: number): string {
  const target = linkTarget(source.link);
  const title = `${index + 1}. ${escapeMarkdown(source.title)}`;
  if (target === undefined) return title;
  return target.startsWith("</")
    ? `${title}, \`${target.slice(1, -1).replaceAll("`", "%60")}\``
    : `${title}, ${target}`;
}

function definition(source: Source, index: number): string[] {
  const target = linkTarget(source.link);
  return target === undefined ? [] : [`[${index + 1}]: ${target}`];
}

function bullets(lines: readonly string[]): string {
  return lines.length === 0
    ? "The source holds no text that could be quoted."
    : lines.map((line) => `- ${line}`).join("\n");
}
