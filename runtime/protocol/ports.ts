import type { Denial, Granted } from "./access.js";
import type { ToolErrorKind } from "./tool-call.js";

/**
 * The substrate-agnostic ABI between tools and the world: three ports, each bound to one agent's confinement. A method takes
 * proof that its access was granted; whatever the substrate refuses all the same comes back as a `denied` failure.
 */
export interface Ports {
  readonly files: FilesPort;
  readonly programs: ProgramsPort;
  readonly web: WebPort;
}

export type PortResult<T> = { readonly ok: true; readonly value: T } | PortFailure;

export interface PortFailure {
  readonly ok: false;
  readonly kind: Exclude<ToolErrorKind, "invalid_input">;
  readonly message: string;
  /** Set where `kind` is `denied`. */
  readonly denial?: Denial;
  /** Set where it is the operator who has to act. */
  readonly code?: "disk_full";
}

export interface FileContent {
  readonly bytes: Uint8Array;
  /** The whole file's size, in bytes. */
  readonly size_bytes: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: "file" | "dir" | "symlink" | "other";
  readonly size_bytes: number;
}

/** Files, absolute paths. A symbolic link is followed only to where the token set allows what was granted. */
export interface FilesPort {
  /** At most `max_bytes` from `offset_bytes`. A directory is `failed`, an absent file `not_found`. */
  readonly read: (
    file: Granted<"file_read">,
    range: { readonly offset_bytes: number; readonly max_bytes: number },
    signal: AbortSignal,
  ) => Promise<PortResult<FileContent>>;
  /** The path's kind, and at most `max_entries` of a directory, sorted by name. */
  readonly list: (
    path: Granted<"file_read">,
    max_entries: number,
    signal: AbortSignal,
  ) => Promise<
    PortResult<{
      readonly kind: "file" | "dir";
      readonly entries: readonly DirectoryEntry[];
      readonly truncated: boolean;
    }>
  >;
  /** Replaces the file atomically and durably (temporary file, fsync, rename), or appends. Makes missing parents. */
  readonly write: (
    file: Granted<"file_write">,
    content: { readonly bytes: Uint8Array; readonly append: boolean },
    signal: AbortSignal,
  ) => Promise<PortResult<{ readonly bytes_written: number }>>;
}

export interface ProgramCall {
  readonly args: readonly string[];
  /** Must itself be readable under the agent's tokens. */
  readonly cwd: string;
  readonly stdin?: Uint8Array;
  readonly timeout_ms: number;
  /** Bound on each of stdout and stderr; what is over it is dropped from the middle, head and tail are kept. */
  readonly max_output_bytes: number;
  /** Beside the port's own short list (PATH, HOME, TMPDIR, LANG). */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProgramOutcome {
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  readonly denials: readonly Denial[];
  /** What it used, with all that it started. */
  readonly resources: { readonly cpu_ms: number; readonly max_memory_bytes: number };
}

/** Subprocesses: argv, never a shell string. A non-zero exit or a timeout is an outcome, not a failure. */
export interface ProgramsPort {
  readonly run: (
    program: Granted<"exec"> | Granted<"cargo_run"> | Granted<"git_commit"> | Granted<"file_read">,
    call: ProgramCall & { readonly program: string },
    signal: AbortSignal,
  ) => Promise<PortResult<ProgramOutcome>>;
}

export interface WebRequest {
  readonly url: string;
  readonly max_bytes: number;
  readonly timeout_ms: number;
  /** `markdown` turns HTML into readable Markdown; `raw` gives the bytes as text. */
  readonly as: "markdown" | "raw";
}

export interface WebPage {
  readonly status: number;
  readonly content_type: string;
  /** Where it was found, after redirects. */
  readonly url: string;
  readonly title: string | null;
  readonly body: string;
  readonly truncated: boolean;
  readonly bytes_read: number;
}

/** HTTP(S) GET of one hop: a redirect comes back as `redirect`, so that the caller has it judged before it goes on. */
export interface WebPort {
  readonly fetch: (
    host: Granted<"network">,
    request: WebRequest,
    signal: AbortSignal,
  ) => Promise<PortResult<WebPage | { readonly redirect: string; readonly status: number }>>;
}
