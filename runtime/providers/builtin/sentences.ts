/** Words that end with a full stop in the middle of a sentence. */
const ABBREVIATION =
  /(?:^|[\s(])(?:[A-Z]|e\.g|i\.e|etc|vs|cf|al|ca|approx|no|vol|pp?|fig|eq|sec|ch|mr|mrs|ms|dr|prof|st|jr|sr|inc|ltd|co|corp|u\.s|u\.k|a\.m|p\.m|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$/i;

/** The sentences of one paragraph of plain text, in order, white space collapsed. */
export function splitSentences(paragraph: string): string[] {
  const text = paragraph.replace(/\s+/g, " ").trim();
  const sentences: string[] = [];
  let start = 0;
  for (const match of text.matchAll(/[.!?…]+["'”’)\]]*(?=\s)|[。！？]+/gu)) {
    const end = match.index + match[0].length;
    const sentence = text.slice(start, end).trim();
    const next = text.slice(end).trimStart();
    if (ABBREVIATION.test(sentence) || /^\p{Ll}/u.test(next)) continue;
    if (sentence !== "") sentences.push(sentence);
    start = end;
  }
  const rest = text.slice(start).trim();
  if (rest !== "") sentences.push(rest);
  return sentences;
}
