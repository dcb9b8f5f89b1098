import type { Server, Socket } from "node:net";
import { errorText } from "../base/error-text.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Caller } from "../protocol/caller.js";
import {
  MAX_SYSTEM_REQUEST_BYTES,
  SYSTEM_VERBS,
  type SystemFrame,
  SystemRequest,
  type SystemVerbName,
} from "../protocol/system-verbs.js";
import type { Machine } from "./machine.js";
import type { VerbCall, Verbs } from "./verb.js";

/** What the system's journal is told of each request, before it is carried out and after. Never a parameter: some are secrets. */
export interface SystemRecord {
  readonly verb: string;
  readonly uid: number | null;
  readonly outcome: "asked" | "refused" | "done" | "failed";
  readonly detail: string;
}

export interface SystemServiceOptions {
  readonly server: Server;
  readonly verbs: Verbs;
  readonly machine: Machine;
  readonly peerOf: (socket: Socket) => Caller;
  readonly record: (record: SystemRecord) => void;
  /** Ends the service: what is under way is finished first. */
  readonly signal: AbortSignal;
  /** Without a request for this long it ends by itself; the socket's unit starts it again. */
  readonly idleMs: number;
  /** A client that does not send its line for this long is cut off. */
  readonly requestMs?: number;
}

/**
 * Serves until `signal` aborts or nobody has asked for a while. A request a connection: one line in, frames out, closed. Requests are
 * carried out one after the other, whoever sends them: two that change the machine at the same time would need to know of each other.
 */
export async function serveSystem(options: SystemServiceOptions): Promise<void> {
  const { server, signal, idleMs } = options;
  let last: Promise<void> = Promise.resolve();
  let open = 0;
  let idle: NodeJS.Timeout | undefined;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      server.close(() => resolve());
    };
    const wait = () => {
      clearTimeout(idle);
      if (open === 0) idle = setTimeout(end, idleMs);
    };
    wait();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    server.on("connection", (socket: Socket) => {
      open += 1;
      clearTimeout(idle);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        open -= 1;
        wait();
      });
      void readRequest(socket, options.requestMs ?? 10_000).then((line) => {
        last = last.then(() => answer(socket, line, options));
      });
    });
  });
  await ended;
  clearTimeout(idle);
  await last;
}

/** The one line, or undefined where none came whole, in time and in size. Never rejects. */
function readRequest(socket: Socket, requestMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const late = setTimeout(() => done(undefined), requestMs);
    const done = (line: string | undefined) => {
      clearTimeout(late);
      socket.removeAllListeners("data");
      socket.resume();
      resolve(line);
    };
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      const end = chunk.indexOf(0x0a);
      if (end >= 0) done(Buffer.concat(chunks).toString("utf8").split("\n", 1)[0]);
      else if (size > MAX_SYSTEM_REQUEST_BYTES) done(undefined);
    });
    socket.once("close", () => done(undefined));
  });
}

/** Judges the peer, then the request, then does it. Whatever happens is told and recorded; it never rejects. */
async function answer(
  socket: Socket,
  line: string | undefined,
  options: SystemServiceOptions,
): Promise<void> {
  const caller = options.peerOf(socket);
  const send = (frame: SystemFrame) => {
    if (!socket.destroyed) socket.write(`${JSON.stringify(frame)}\n`);
  };
  let verb = "";
  const record = (outcome: SystemRecord["outcome"], detail = "") => {
    options.record({ verb, uid: caller.uid, outcome, detail });
  };
  let begun = false;
  try {
    if (!caller.admin) throw notAdmin();
    const request = parse(line);
    verb = request.verb;
    const { signal, machine } = options;
    const call = prepare(request, options.verbs, {
      machine,
      signal,
      progress: (text) => send({ type: "progress", text }),
      sendBytes: (bytes) => sendBytes(socket, bytes),
    });
    begun = true;
    record("asked");
    const result = await call();
    record("done");
    send({ type: "end", result });
  } catch (thrown) {
    const error = asAgentdError(thrown);
    record(begun ? "failed" : "refused", error.message);
    const { code: kind, op, message, hint } = error;
    send({ type: "error", kind, op, message, hint });
  } finally {
    socket.end();
  }
}

/** Waits where the peer reads slower than the verb makes them: what is under way is never held in memory. */
async function sendBytes(socket: Socket, bytes: Buffer): Promise<void> {
  const frame: SystemFrame = { type: "data", base64: bytes.toString("base64") };
  if (socket.destroyed) throw nobodyReads();
  if (socket.write(`${JSON.stringify(frame)}\n`)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (then: () => void) => () => {
      socket.removeAllListeners("drain");
      socket.off("close", left);
      then();
    };
    const left = settle(() => reject(nobodyReads()));
    socket.once("drain", settle(resolve));
    socket.once("close", left);
  });
}

function nobodyReads(): AgentdError {
  return new AgentdError("aborted", "root service", "the one who asked has left");
}

function notAdmin(): AgentdError {
  return new AgentdError(
    "not_permitted",
    "ask the root service",
    "only group aaos-admin and root may",
    {
      hint: "Join the group: `sudo adduser $USER aaos-admin`, then log in again.",
    },
  );
}

function parse(line: string | undefined): SystemRequest {
  const request = SystemRequest.safeParse(jsonOf(line));
  if (request.success) return request.data;
  throw new AgentdError("invalid_request", "read request", "no request in one line of JSON");
}

function jsonOf(line: string | undefined): unknown {
  try {
    return line === undefined ? undefined : JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The verb with its parameters read; `method_not_found` for one that is not on the list. */
function prepare(request: SystemRequest, verbs: Verbs, context: VerbCall): () => Promise<unknown> {
  const { verb, params } = request;
  if (!isVerb(verb))
    throw new AgentdError(
      "method_not_found",
      "ask the root service",
      `no verb ${JSON.stringify(verb)}`,
    );
  const checked = SYSTEM_VERBS[verb].params.safeParse(params);
  if (!checked.success) {
    // The names of the fields only: a value may be a secret.
    const fields = checked.error.issues.map(({ path, code }) => `${path.join(".")}: ${code}`);
    throw new AgentdError("invalid_request", verb, fields.join("; "));
  }
  // Parsed by the same verb's schema, which the compiler cannot follow.
  const act = verbs[verb] as (params: unknown, context: VerbCall) => Promise<unknown>;
  return () => act(checked.data, context);
}

function isVerb(verb: string): verb is SystemVerbName {
  return Object.hasOwn(SYSTEM_VERBS, verb);
}

function asAgentdError(thrown: unknown): AgentdError {
  if (thrown instanceof AgentdError) return thrown;
  return new AgentdError("internal", "root service", errorText(thrown), { cause: thrown });
}
