/**
 * What a parser says of the bytes that have come so far. Parsers are pure and total: any Buffer gets one of these answers,
 * none throws. `more` never outlives the parser's own size bound.
 */
export type Parsed<T> =
  | { readonly kind: "more" }
  | { readonly kind: "done"; readonly value: T; readonly consumed: number }
  | { readonly kind: "bad"; readonly reason: string };

export const MORE = { kind: "more" } as const;

export function bad(reason: string): { readonly kind: "bad"; readonly reason: string } {
  return { kind: "bad", reason };
}

export function done<T>(value: T, consumed: number): Parsed<T> {
  return { kind: "done", value, consumed };
}
