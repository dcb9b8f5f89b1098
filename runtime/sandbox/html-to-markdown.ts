import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";
import TurndownService from "turndown";
import { plainText, titleByPattern } from "./plain-text.js";

/** More HTML than this is not parsed; the caller learns it from `truncated`. Characters. */
const MAX_HTML_CHARS = 1_048_576;
/** Beyond these a page is no article and finding one in it takes too long (measured: 20,000 nested elements, minutes). */
const MAX_ARTICLE_ELEMENTS = 15_000;
const MAX_ARTICLE_DEPTH = 100;
/** Beyond these a page is given as plain text: the conversion recurses. */
const MAX_ELEMENTS = 60_000;
const MAX_DEPTH = 400;
/** An article shorter than this part of the page is not what the page is about: a list of links, a table. */
const MIN_ARTICLE_PART = 0.3;

export interface MarkdownPage {
  readonly title: string | null;
  readonly markdown: string;
  /** True where the page was too long to be read whole. */
  readonly truncated: boolean;
}

/**
 * The readable part of an HTML page as Markdown: links absolute, nothing that runs, no styling. Where no article is found,
 * the whole page. Pure and total: any text gives a result, in a time bounded by the limits above.
 */
export function htmlToMarkdown(html: string, url: string): MarkdownPage {
  const truncated = html.length > MAX_HTML_CHARS;
  const source = html.slice(0, MAX_HTML_CHARS);
  try {
    return { ...convert(source, url), truncated };
  } catch {
    // Foreign HTML can break any of the three libraries; its text is still worth having.
    return { title: titleByPattern(source), markdown: plainText(source), truncated };
  }
}

/** The part of the DOM that is used here; the libraries' own types need a browser's. */
interface Dom {
  readonly nodeName: string;
  readonly textContent: string | null;
  readonly parentNode: Dom | null;
  readonly children: Iterable<Dom>;
  querySelector(selector: string): Dom | null;
  querySelectorAll(selector: string): Iterable<Dom>;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  remove(): void;
}
interface DomDocument extends Dom {
  readonly documentElement: Dom | null;
  readonly body: Dom;
}

type ReadableDocument = ConstructorParameters<typeof Readability>[0];

const DROPPED =
  "script,style,noscript,template,iframe,object,embed,applet,svg,math,canvas,audio,video,link,meta,form input,button,select,dialog";

function convert(html: string, url: string): { title: string | null; markdown: string } {
  const document = parse(html);
  const title = squeeze(document.querySelector("title")?.textContent ?? "");
  const size = measure(document);
  if (size.elements > MAX_ELEMENTS || size.depth > MAX_DEPTH) {
    return { title: orNull(title), markdown: plainText(html) };
  }
  const base = baseOf(document, url);
  for (const element of [...document.querySelectorAll(DROPPED)]) element.remove();
  for (const element of [...document.querySelectorAll("title")]) element.remove();
  makeAbsolute(document, base);
  const body = toMarkdown(document.body);
  const article =
    size.elements > MAX_ARTICLE_ELEMENTS || size.depth > MAX_ARTICLE_DEPTH
      ? undefined
      : articleMarkdown(document);
  const readable =
    article !== undefined && article.length >= MIN_ARTICLE_PART * body.length ? article : body;
  return { title: orNull(title), markdown: readable };
}

/** A document with a body whatever the source leaves out: the parser adds no tags that HTML lets one omit. */
function parse(html: string): DomDocument {
  const whole = /<html[\s>]/i.test(html) && /<body[\s>]/i.test(html);
  const bare = html.replace(
    /<!doctype[^>]{0,1000}>|<\/?(?:html|head|body)(?:\s[^>]{0,1000})?>/gi,
    "",
  );
  const source = whole ? html : `<html><head></head><body>${bare}</body></html>`;
  return parseHTML(source).document as unknown as DomDocument;
}

/** Counts elements and nesting without recursion; stops counting once over the limits. */
function measure(document: DomDocument): { elements: number; depth: number } {
  let elements = 0;
  let depth = 0;
  let level: Dom[] = document.documentElement ? [document.documentElement] : [];
  while (level.length > 0 && elements <= MAX_ELEMENTS && depth <= MAX_DEPTH) {
    elements += level.length;
    depth++;
    level = level.flatMap((element) => [...element.children]);
  }
  return { elements, depth };
}

function baseOf(document: DomDocument, url: string): string {
  const href = document.querySelector("base[href]")?.getAttribute("href") ?? "";
  return URL.canParse(href, url) ? new URL(href, url).href : url;
}

/** Makes the targets of links and images absolute; those that are no web address, `javascript:` above all, go. */
function makeAbsolute(document: DomDocument, base: string): void {
  for (const [selector, name] of [
    ["a[href]", "href"],
    ["img[src]", "src"],
  ] as const) {
    for (const element of [...document.querySelectorAll(selector)]) {
      const target = element.getAttribute(name)?.trim() ?? "";
      const absolute = URL.canParse(target, base) ? new URL(target, base) : undefined;
      if (absolute && /^(?:https?|mailto):$/.test(absolute.protocol)) {
        element.setAttribute(name, absolute.href);
      } else if (name === "src") element.remove();
      else element.removeAttribute(name);
    }
  }
}

/** What Readability takes for the article, or undefined. It takes the document apart. */
function articleMarkdown(document: DomDocument): string | undefined {
  const reader = new Readability<unknown>(document as unknown as ReadableDocument, {
    maxElemsToParse: MAX_ARTICLE_ELEMENTS,
    serializer: (node: unknown) => node,
  });
  const content = reader.parse()?.content;
  return content === null || content === undefined ? undefined : toMarkdown(content as Dom);
}

function toMarkdown(root: Dom): string {
  const turndown = new TurndownService({
    headingStyle: "atx",
    codeBlockStyle: "fenced",
    bulletListMarker: "-",
  });
  addTableRules(turndown);
  const markdown = turndown.turndown(root as unknown as TurndownService.Node);
  const lines: string[] = [];
  for (const line of markdown.split("\n")) {
    const trimmed = line.trimEnd();
    if (trimmed !== "" || lines.at(-1) !== "") lines.push(trimmed);
  }
  return lines.join("\n").trim();
}

/** Tables with a header become Markdown tables; the others are layout, and their cells just text side by side. */
function addTableRules(turndown: TurndownService): void {
  const known = new WeakMap<Dom, boolean>();
  const isData = (table: Dom): boolean => {
    const answer = known.get(table) ?? isDataTable(table);
    known.set(table, answer);
    return answer;
  };
  turndown.addRule("cell", {
    filter: ["th", "td"],
    replacement: (content, node) => {
      const lines = content.split("\n").map((line) => line.trim());
      const text = lines.filter((line) => line !== "").join(" ");
      const table = tableOf(node as unknown as Dom);
      return table && isData(table) ? ` ${text.replaceAll("|", "\\|")} |` : `${content.trim()}  `;
    },
  });
  turndown.addRule("row", {
    filter: "tr",
    replacement: (content, node) => {
      const row = node as unknown as Dom;
      const table = tableOf(row);
      if (!table || !isData(table)) return `\n${content.trim()}\n`;
      const first = table.querySelector("tr") === row;
      const rule = first ? `\n|${" --- |".repeat([...row.children].length)}` : "";
      return `\n|${content}${rule}`;
    },
  });
}

function tableOf(node: Dom): Dom | undefined {
  for (let at = node.parentNode; at; at = at.parentNode) if (at.nodeName === "TABLE") return at;
  return undefined;
}

function isDataTable(table: Dom): boolean {
  return table.querySelector("th") !== null && table.querySelector("table") === null;
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function orNull(text: string): string | null {
  return text === "" ? null : text;
}
