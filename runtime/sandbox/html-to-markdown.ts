import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";
import TurndownService from "turndown";
import { plainText, titleByPattern } from "./plain-text.js";

/** More HTML than this is not parsed; the caller learns it from `truncated`. Characters. */
const MAX_HTML_CHARS = 1_048_576;
/** Beyond these a page is no article and finding one in it takes too long (measured: 20,000 nested elements, minutes). */
const MAX_ARTICLE_TAGS = 24_000;
const MAX_ARTICLE_DEPTH = 100;
/** Beyond these a page is given as plain text: parser and conversion recurse, and take quadratic time on some shapes. */
const MAX_TAGS = 40_000;
const MAX_DEPTH = 400;
/** Longer runs of blanks are cut: they mean nothing, and regular expressions downstream stumble over them. */
const MAX_BLANKS = 100;
/** An article shorter than this part of the page is not what the page is about: a list of links, a table. */
const MIN_ARTICLE_PART = 0.3;

interface MarkdownPage {
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
  normalize(): void;
}
interface DomDocument extends Dom {
  readonly documentElement: Dom | null;
  readonly body: Dom;
}

type ReadableDocument = ConstructorParameters<typeof Readability>[0];

const DROPPED =
  "script,style,noscript,template,iframe,object,embed,applet,svg,math,canvas,audio,video,link,meta,form input,button,select,dialog";

function convert(html: string, url: string): { title: string | null; markdown: string } {
  const shape = shapeOf(html);
  if (shape.tags > MAX_TAGS || shape.depth > MAX_DEPTH) {
    return { title: titleByPattern(html), markdown: plainText(html) };
  }
  const document = parse(html);
  const title = squeeze(document.querySelector("title")?.textContent ?? "");
  const base = baseOf(document, url);
  for (const element of [...document.querySelectorAll(DROPPED)]) element.remove();
  for (const element of [...document.querySelectorAll("title")]) element.remove();
  makeAbsolute(document, base);
  const body = toMarkdown(document.body);
  const article =
    shape.tags > MAX_ARTICLE_TAGS || shape.depth > MAX_ARTICLE_DEPTH
      ? undefined
      : articleMarkdown(document);
  const readable =
    article !== undefined && article.length >= MIN_ARTICLE_PART * body.length ? article : body;
  return { title: orNull(title), markdown: readable };
}

/** A document with a body whatever the source leaves out: the parser adds no tags that HTML lets one omit. */
function parse(html: string): DomDocument {
  const whole = [/<html[\s>]/i, /<head[\s>]/i, /<body[\s>]/i].every((tag) => tag.test(html));
  const bare = html.replace(
    /<!doctype[^>]{0,1000}>|<\/?(?:html|head|body)(?:\s[^>]{0,1000})?>/gi,
    "",
  );
  const source = whole ? html : `<html><head></head><body>${bare}</body></html>`;
  const tame = source
    .replace(/<(?![a-z/!?])/gi, "&lt;")
    .replace(/\s+/g, (run) => run.slice(0, MAX_BLANKS));
  const document = parseHTML(tame).document as unknown as DomDocument;
  // The parser gives every entity a text node of its own; the conversion's time goes with the square of those.
  document.body.normalize();
  return document;
}

/** Elements that close themselves or may be left open; they do not nest by being left so. */
const UNNESTED =
  /^(?:p|li|td|th|tr|dt|dd|option|br|hr|img|input|meta|link|wbr|col|area|base|source|track|param|embed)$/i;

/**
 * Tags, character references among them, and their nesting, counted in the text: in time linear in its length, before a parser
 * that makes an object of each.
 */
function shapeOf(html: string): { tags: number; depth: number } {
  let tags = 0;
  let open = 0;
  let depth = 0;
  for (const [, slash, name] of html.matchAll(/<(\/?)([a-z][a-z0-9]{0,20})|[<&]/gi)) {
    tags++;
    if (name !== undefined && !UNNESTED.test(name))
      open = Math.max(0, open + (slash === "/" ? -1 : 1));
    depth = Math.max(depth, open);
  }
  return { tags, depth };
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
    maxElemsToParse: MAX_ARTICLE_TAGS,
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
