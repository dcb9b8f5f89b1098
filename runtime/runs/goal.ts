const WRITE_VERB = /\b(?:write|save|store|put|create|produce|output|export)\b/gi;
const ABSOLUTE_PATH = /(?<=^|[\s"'`(<])\/(?!\/)[^\s"'`)>\]]*[^\s"'`)>\].,;:!?/]/g;

/**
 * The file that a goal asks for by name: the first absolute path after its last verb of writing, or undefined. A path in an
 * URL is none, and the full stop that ends the sentence is no part of it. Pure.
 */
export function namedOutput(goal: string): string | undefined {
  const verbs = [...goal.matchAll(WRITE_VERB)].map((match) => match.index);
  for (const from of verbs.reverse()) {
    const path = goal.slice(from).match(ABSOLUTE_PATH)?.[0];
    if (path !== undefined) return path;
  }
  return undefined;
}
