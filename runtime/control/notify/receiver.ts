/** Where notices go. `name` is for the log and holds no secret: a webhook's path often is one. */
export interface Receiver {
  readonly name: string;
  /** Rejects with what went wrong; gives up at once when `signal` aborts. */
  readonly deliver: (json: string, signal: AbortSignal) => Promise<void>;
}
