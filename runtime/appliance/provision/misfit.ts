/** A field that does not fit this machine. */
export interface Misfit {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}
