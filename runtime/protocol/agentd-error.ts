import { ERROR_CODES, type ErrorCode, type ExitCode } from "./error-code.js";

interface ErrorDetail {
  /** What to do next, where the catalogue's hint is not exact enough. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A failure with a stable code, what was being done (`op`), what is wrong, and what to do next. */
export class AgentdError extends Error {
  override readonly name = "AgentdError";
  readonly code: ErrorCode;
  /** The operation that failed, in two or three words: `read role`, `open database`. */
  readonly op: string;
  readonly hint: string;

  constructor(code: ErrorCode, op: string, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.op = op;
    this.hint = detail.hint ?? ERROR_CODES[code].hint;
  }

  get exitCode(): ExitCode {
    return ERROR_CODES[this.code].exit;
  }
}
