/** What the builtin provider can do with sources. `collect` quotes the main points without being asked for more. */
export type Operation =
  | "compare"
  | "outline"
  | "extract"
  | "list"
  | "analyse"
  | "summarise"
  | "collect";

/** The words that ask for each, most telling first: a goal that says "compare" and "summarise" wants a comparison. */
const WORDS: readonly (readonly [Operation, RegExp])[] = [
  ["compare", /\b(compar(e|es|ing|ison|isons)|contrast(s|ing)?|differences?|versus|vs)\b/i],
  ["outline", /\b(outlin(e|es|ing)|headings|table of contents)\b/i],
  ["extract", /\b(extract(s|ing|ion)?|quot(e|es|ing)|collect|find|pick out)\b/i],
  ["list", /\b(list(s|ing)?|enumerat(e|es|ing))\b/i],
  [
    "analyse",
    /\b(analy[sz](e|es|ing)|analysis|review(s|ing)?|assess(es|ing|ment)?|examin(e|es|ing))\b/i,
  ],
  [
    "summarise",
    /\b(summari[sz](e|es|ing)|summar(y|ies)|sum up|condens(e|es|ing)|digest|abstract|overview|brief|report|key points|main points|shorten)\b/i,
  ],
];

/** The strongest operation that a text asks for; `collect` where it asks for none. */
export function operationOf(text: string): Operation {
  return WORDS.find(([, words]) => words.test(text))?.[0] ?? "collect";
}

/** Whether a word by itself is one that asks for an operation. */
export function isOperationWord(word: string): boolean {
  return WORDS.some(([, words]) => words.test(word));
}
