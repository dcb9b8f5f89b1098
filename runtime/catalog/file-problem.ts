/** What is wrong in a file that a person wrote: where, what, and what to do. Lines and columns count from 1. */
export interface FileProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `capabilities[2]`; empty for the file as a whole. */
  readonly field: string;
  readonly message: string;
  readonly hint: string | null;
}

/** `FILE:LINE: FIELD: message (hint)`, on one line. */
export function formatProblem({ file, line, field, message, hint }: FileProblem): string {
  const where = field === "" ? "" : `${field}: `;
  const help = hint === null ? "" : ` (${hint})`;
  return `${file}:${line}: ${where}${message}${help}`;
}

export type FieldPath = readonly (string | number)[];

/** `providers.local.base_url`, `capabilities[2]`. */
export function formatField(path: FieldPath): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");
}
