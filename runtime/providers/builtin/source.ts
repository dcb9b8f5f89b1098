import { basename } from "node:path";
import { plainText } from "./markdown.js";

/** A piece of a text as its Markdown shows it, in plain words. */
interface Block {
  readonly kind: "heading" | "paragraph" | "item";
  /** Of a heading, 1 to 6; 0 for the others. */
  readonly level: number;
  readonly text: string;
}

/** One input: what it is called, where it came from, and what it says. */
export interface Source {
  readonly title: string;
  /** A web address or an absolute path. */
  readonly link: string;
  readonly blocks: readonly Block[];
  /** What our own notes say a longer text is about, most frequent first. */
  readonly terms: readonly string[];
}

const HEADER_LINES = 6;
/** More of a source is not read, and more of a paragraph is not one: a page must not keep the daemon busy. Characters. */
const MAX_TEXT = 300_000;
const MAX_BLOCK = 5_000;
const NOTES_PREFIX = "Notes: ";
const TERMS_PREFIX = "> Frequent words: ";

/**
 * Reads a text file or Markdown. A fetched page and our own notes begin with `# TITLE` and `Source: WHERE`; any other file is
 * called by its first heading, else by its name, and is its own source.
 */
export function readSource(path: string, text: string): Source {
  const lines = text.slice(0, MAX_TEXT).replace(/\r\n?/g, "\n").split("\n");
  const header = lines.slice(0, HEADER_LINES);
  const origin = header.findIndex((line) => /^Source: <?(https?:\/\/|\/)\S*>?$/i.test(line.trim()));
  const link = origin < 0 ? path : (header[origin] ?? "").replace(/^\s*Source: |[<>]/gi, "").trim();
  if (origin >= 0) lines.splice(origin, 1);
  const blocks = blocksOf(lines);
  const title = blocks.find((block) => block.kind === "heading")?.text ?? basename(path);
  const isNotes = title.startsWith(NOTES_PREFIX);
  return {
    title: isNotes ? title.slice(NOTES_PREFIX.length) : title,
    link,
    blocks: blocks.filter((block, index) => !(index === 0 && block.text === title)),
    terms: isNotes ? termsOf(lines) : [],
  };
}

export function notesTitle(title: string): string {
  return `${NOTES_PREFIX}${title}`;
}

export function termsLine(terms: readonly string[]): string {
  return `${TERMS_PREFIX}${terms.join(", ")}`;
}

function termsOf(lines: readonly string[]): string[] {
  const line = lines.find((candidate) => candidate.startsWith(TERMS_PREFIX)) ?? "";
  return line
    .slice(TERMS_PREFIX.length)
    .split(", ")
    .map(plainText)
    .filter((term) => term !== "");
}

function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    push(blocks, "paragraph", 0, paragraph.join(" "));
    paragraph = [];
  };
  for (const line of withoutCode(lines)) {
    const heading = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    const item = /^\s*(?:[-*+]|\d+[.)])\s+(.*)$/.exec(line);
    const breaks = heading !== null || item !== null || line.trim() === "" || isFurniture(line);
    if (!breaks) {
      paragraph.push(line.replace(/^[\s>]+/, "").trim());
      continue;
    }
    flush();
    if (heading !== null) push(blocks, "heading", (heading[1] ?? "").length, heading[2] ?? "");
    else if (item !== null) push(blocks, "item", 0, item[1] ?? "");
  }
  flush();
  return blocks;
}

/** Fenced code is no text to quote; a blank line stands for it. */
function withoutCode(lines: readonly string[]): string[] {
  let fence: string | undefined;
  return lines.map((line) => {
    const mark = /^\s*(```|~~~)/.exec(line)?.[1];
    if (mark === undefined) return fence === undefined ? line : "";
    if (fence === undefined) fence = mark;
    else if (mark === fence) fence = undefined;
    return "";
  });
}

/** Rules, table frames, and what our own documents say of themselves. */
function isFurniture(line: string): boolean {
  return /^(\s*([-=*_]{3,}\s*$|\|?[\s:|-]+\|\s*$)|> (Made by aaOS|Question: |Frequent words: )|\[\d+\]: <)/.test(
    line,
  );
}

function push(blocks: Block[], kind: Block["kind"], level: number, markdown: string): void {
  const text = plainText(markdown.slice(0, MAX_BLOCK).replace(/\s*\|\s*/g, " "));
  if (text !== "") blocks.push({ kind, level, text });
}
