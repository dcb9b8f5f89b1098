import { splitSentences } from "./sentences.js";
import type { Source } from "./source.js";
import { stems } from "./words.js";

const MAX_SENTENCES = 200;
const DAMPING = 0.85;
const ROUNDS = 30;
/** Two sentences nearer to each other than this say the same. */
const SAME = 0.6;

/** A sentence with its weighted, normalised words. */
export interface Sentence {
  readonly text: string;
  readonly vector: ReadonlyMap<string, number>;
}

/** The sentences of a source that can stand alone: whole ones first, short lines only where there is nothing else. */
export function sentencesOf(source: Source): Sentence[] {
  const all = source.blocks
    .filter((block) => block.kind !== "heading")
    .flatMap((block) => splitSentences(block.text));
  const texts = [...new Set(all)].filter((text) => text.length <= 600);
  const whole = texts.filter(
    (text) => wordCount(text) >= 5 && /[.!?。！？…]["'”’)\]]*$/u.test(text),
  );
  const chosen = whole.length >= 3 ? whole : texts.filter((text) => wordCount(text) >= 3);
  return weighted((chosen.length > 0 ? chosen : texts).slice(0, MAX_SENTENCES));
}

/** Cosine of two sentences, 0 to 1. */
export function likeness(a: Sentence, b: Sentence): number {
  const [small, large] =
    a.vector.size <= b.vector.size ? [a.vector, b.vector] : [b.vector, a.vector];
  let sum = 0;
  for (const [word, weight] of small) sum += weight * (large.get(word) ?? 0);
  return sum;
}

/**
 * The `count` sentences that say most of the whole, in the order of the text: TextRank over tf-idf (Mihalcea and Tarau 2004),
 * raised by the words of `topic` and by standing early; what repeats a chosen one is left out. Deterministic.
 */
export function keySentences(
  sentences: readonly Sentence[],
  topic: ReadonlySet<string>,
  count: number,
): Sentence[] {
  const ranks = textRank(sentences);
  const order = sentences
    .map((sentence, index) => ({ sentence, index, score: 0 }))
    .map((entry) => ({ ...entry, score: score(entry.sentence, entry.index, ranks, topic) }))
    .sort((a, b) => b.score - a.score || a.index - b.index);
  const chosen: typeof order = [];
  for (const entry of order) {
    if (chosen.length >= count) break;
    if (!chosen.some((other) => likeness(other.sentence, entry.sentence) > SAME))
      chosen.push(entry);
  }
  return chosen.sort((a, b) => a.index - b.index).map((entry) => entry.sentence);
}

function score(
  sentence: Sentence,
  index: number,
  ranks: readonly number[],
  topic: ReadonlySet<string>,
): number {
  let hits = 0;
  for (const word of sentence.vector.keys()) if (topic.has(word)) hits++;
  return (ranks[index] ?? 0) * (1 + hits) * (1 + 0.5 / (1 + index));
}

/** PageRank on the graph of likeness; the mean rank is 1. */
function textRank(sentences: readonly Sentence[]): number[] {
  const count = sentences.length;
  const edges = sentences.map((a, i) => sentences.map((b, j) => (i === j ? 0 : likeness(a, b))));
  const totals = edges.map((row) => row.reduce((sum, weight) => sum + weight, 0));
  let ranks = new Array<number>(count).fill(1);
  for (let round = 0; round < ROUNDS; round++) {
    const given = ranks.map((rank, i) => ((totals[i] ?? 0) > 0 ? rank / (totals[i] ?? 1) : 0));
    ranks = edges.map(
      (row) =>
        1 - DAMPING + DAMPING * row.reduce((sum, weight, j) => sum + weight * (given[j] ?? 0), 0),
    );
  }
  return ranks;
}

function weighted(texts: readonly string[]): Sentence[] {
  const words = texts.map((text) => stems(text));
  const seenIn = new Map<string, number>();
  for (const list of words)
    for (const word of new Set(list)) seenIn.set(word, (seenIn.get(word) ?? 0) + 1);
  return texts.map((text, i) => {
    const vector = new Map<string, number>();
    for (const word of words[i] ?? []) {
      const rarity = Math.log(1 + texts.length / (seenIn.get(word) ?? 1));
      vector.set(word, (vector.get(word) ?? 0) + rarity);
    }
    const length = Math.sqrt(
      [...vector.values()].reduce((sum, weight) => sum + weight * weight, 0),
    );
    if (length > 0) for (const [word, weight] of vector) vector.set(word, weight / length);
    return { text, vector };
  });
}

function wordCount(text: string): number {
  return text.split(" ").length;
}
