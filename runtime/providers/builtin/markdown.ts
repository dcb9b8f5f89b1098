/** What is invisible, or changes the order in which text is shown: a page must not hide or turn around what is quoted from it. */
const INVISIBLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

/** Foreign text as Markdown that shows exactly this text: no markup, no link, no HTML of its own. One line. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(INVISIBLE, "")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\\`*_[\]<>|~]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/:\/\//g, ":\\/\\/")
    .replace(/\bwww\./gi, (www) => `${www.slice(0, -1)}\\.`)
    .replace(/^([#+=-])/, "\\$1")
    .replace(/^(\d+)([.)])/, "$1\\$2");
}

/** `[text](target "title")`. Lengths are bounded, so that no page can make the search take long. */
const LINK =
  /\[([^\]]{0,300})\]\((?:<[^>]{0,2000}>|[^()\s]{0,2000}(?:\([^()]{0,200}\)[^()\s]{0,200}){0,3})(?:\s+"[^"]{0,300}")?\)/g;

/** A Markdown line as the plain text that it shows. What a backslash escapes is hidden from the other rules while they work. */
export function plainText(markdown: string): string {
  return markdown
    .replace(/[\ue000-\ue07f]/g, " ")
    .replace(/\\([!-/:-@[-`{-~])/g, (_, mark: string) => hidden(mark))
    .replace(/!\[[^\]]{0,300}\]\([^)]{0,2000}\)/g, " ")
    .replace(LINK, "$1")
    .replace(/<\/?[a-z][^>]{0,1000}>/gi, " ")
    .replace(/\*\*|__|`+/g, "")
    .replace(/(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)/g, "")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&")
    .replace(/[\ue000-\ue07f]/g, shown)
    .replace(INVISIBLE, "")
    .replace(/\s+/g, " ")
    .trim();
}

function hidden(mark: string): string {
  return String.fromCharCode(0xe000 + mark.charCodeAt(0));
}

function shown(mark: string): string {
  return String.fromCharCode(mark.charCodeAt(0) - 0xe000);
}

/** A link target in angle brackets, if it is a web address or an absolute path; else undefined. */
export function linkTarget(target: string): string | undefined {
  if (!/^(https?:\/\/|\/)/i.test(target)) return undefined;
  const safe = target
    .replace(INVISIBLE, "")
    .replace(/[\s<>\\|]/g, (character) => encodeURIComponent(character));
  return `<${safe}>`;
}
