/** English words that carry no topic. */
const STOPWORDS = new Set(
  `a about above after again against all also am an and any are as at be because been before being below between both but by
  can cannot could did do does doing down during each even every few for from further had has have having he her here hers him
  his how however i if in into is it its itself just like made make many may me might more most much must my no nor not now of
  off on once one only or other our ours out over own per said same see she should since so some such than that the their
  theirs them then there these they this those through to too two under until up upon us use used using very via was we well
  were what when where which while who whom whose why will with within without would yet you your yours
  work works worked need needs needed see read get take new close`.split(/\s+/),
);

/** A word as it counts and as it was written. */
export interface Word {
  readonly stem: string;
  readonly surface: string;
}

/** The words of a text that carry a topic, in order: lower-cased, plural endings dropped, stop words and bare numbers left out. */
export function topicWords(text: string): Word[] {
  const words: Word[] = [];
  for (const [surface] of text.matchAll(/[\p{L}\p{N}][\p{L}\p{N}'’+#-]*/gu)) {
    const lower = surface.toLowerCase().replace(/['’]s?$/u, "");
    if (lower.length < 2 || STOPWORDS.has(lower) || /^[\d-]+$/.test(lower)) continue;
    words.push({ stem: stem(lower), surface: lower });
  }
  return words;
}

export function stems(text: string): string[] {
  return topicWords(text).map((word) => word.stem);
}

function stem(word: string): string {
  if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  if (word.length > 4 && /(ss|x|ch|sh)es$/.test(word)) return word.slice(0, -2);
  if (word.length > 3 && word.endsWith("s") && !/(ss|us|is)$/.test(word)) return word.slice(0, -1);
  return word;
}
