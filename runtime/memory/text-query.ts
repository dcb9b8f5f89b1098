import { scopeWord } from "./sync-index.js";

/** Words that say nothing about what is looked for. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    "a an the is are was were be been am do does did done of to in on at for from by with and or not no it its this that these those " +
    "who whom whose which what when where why how may can could should would will shall must have has had i we you they he she our " +
    "my your their us me them as if than then there so over about into out up down"
  ).split(" "),
);
const MAX_WORDS = 32;

/**
 * An FTS5 expression for what somebody asks: any of its words that mean something, within one identity and category where they are
 * named. Every word is quoted, so that nothing of the query is read as syntax. Undefined where it holds no word.
 */
export function textQuery(
  query: string,
  within: { readonly owner: string | null; readonly category: string | null },
): string | undefined {
  const words = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])];
  const telling = words.filter((word) => !STOP_WORDS.has(word));
  const used = (telling.length > 0 ? telling : words).slice(0, MAX_WORDS);
  if (used.length === 0) return undefined;
  const wanted = `content : (${used.map((word) => `"${word}"`).join(" OR ")})`;
  const scope = [
    ...(within.owner === null ? [] : [scopeWord("owner", within.owner)]),
    ...(within.category === null ? [] : [scopeWord("category", within.category)]),
  ];
  return [...scope.map((word) => `scope : "${word}"`), wanted].join(" AND ");
}
