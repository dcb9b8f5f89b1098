import { readFileSync } from "node:fs";

/** What there is to remember, and what is asked of it: `answer` is a fact's name. */
export interface RecallSet {
  readonly facts: readonly { readonly name: string; readonly text: string }[];
  readonly questions: readonly { readonly answer: string; readonly text: string }[];
}

export function recallSet(): RecallSet {
  return {
    facts: linesOf("recall-facts.txt"),
    questions: linesOf("recall-questions.txt").map(({ name, text }) => ({ answer: name, text })),
  };
}

function linesOf(file: string): readonly { readonly name: string; readonly text: string }[] {
  const text = readFileSync(new URL(`../../runtime/test/${file}`, import.meta.url), "utf8");
  return [...text.matchAll(/^([a-z0-9-]+): (.+)$/gm)].map(([, name = "", said = ""]) => ({
    name,
    text: said,
  }));
}
