import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { errorText } from "../../base/error-text.js";
import { suggest } from "../../base/suggest.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import { SignedHead, type WireEvent } from "../../protocol/control.js";
import type { ExitCode } from "../../protocol/error-code.js";
import { EVENT_KINDS } from "../../protocol/event.js";
import { allEvents } from "../all-events.js";
import { connectTo, type MethodInput } from "../client.js";
import type { Command } from "../command.js";
import { describeAnyEvent } from "../describe-event.js";
import { checkId } from "../find.js";
import { plural, shortId } from "../format.js";
import { jsonLine, plainLine } from "../plain-text.js";
import { printJson, printLine, printSteadily } from "../print.js";
import { readTextFile } from "../read-text-file.js";

export interface AuditOptions {
  readonly run?: string;
  readonly agent?: string;
  readonly kind?: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly output?: string;
}

const TAIL = 20;

/** The newest events, then each as it happens, until Ctrl-C. */
export async function auditTail(command: Command, options: AuditOptions): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const filter = filterOf(options);
  const before = { ...filter, limit: limitOf(options) ?? TAIL, reverse: true };
  const leave = new AbortController();
  const onInterrupt = () => leave.abort();
  command.io.signals.on("SIGINT", onInterrupt);
  try {
    const { events } = await client.call("audit.query", before);
    for (const event of events.toReversed()) printEvent(command, event);
    const after_seq = events.at(0)?.seq ?? 0;
    const signal = AbortSignal.any([leave.signal, command.signal]);
    for await (const frame of client.stream("audit.tail", { ...filter, after_seq }, signal)) {
      if (frame.kind === "event") printEvent(command, frame.event);
    }
    return 0;
  } finally {
    command.io.signals.off("SIGINT", onInterrupt);
  }
}

/** Events of the past that match, oldest first; the newest `--limit` of them. */
export async function auditQuery(command: Command, options: AuditOptions): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const limit = limitOf(options) ?? 100;
  const { events } = await client.call("audit.query", {
    ...filterOf(options),
    limit,
    reverse: true,
  });
  for (const event of events.toReversed()) printEvent(command, event);
  return 0;
}

/** Every event that matches, as one JSON object a line, to a file or standard output. */
export async function auditExport(command: Command, options: AuditOptions): Promise<ExitCode> {
  const client = connectTo(command.places.socketPath, command.heard);
  const events = allEvents(client, filterOf(options), command.signal);
  if (options.output === undefined) {
    for await (const event of events) await printSteadily(command, jsonLine(event));
    return 0;
  }
  const file = resolve(command.io.cwd, options.output);
  let count = 0;
  const lines = async function* () {
    for await (const event of events) {
      count++;
      yield `${jsonLine(event)}\n`;
    }
  };
  try {
    await pipeline(lines, createWriteStream(file));
  } catch (cause) {
    if (cause instanceof AgentdError) throw cause;
    throw new AgentdError("usage", "audit export", `cannot write ${file}: ${errorText(cause)}`, {
      cause,
      hint: "Give -o a file in a folder that you may write to.",
    });
  }
  if (command.json) printJson(command, { file, events: count });
  else printLine(command, `${plural(count, "event")} in ${file}`);
  return 0;
}

/** Whether the journal is whole: exit code 1 where a row was changed, removed, inserted, moved, or the tail was cut. */
export async function auditVerify(
  command: Command,
  { heads }: { readonly heads?: string },
): Promise<ExitCode> {
  const report = await connectTo(command.places.socketPath, command.heard).call("audit.verify", {
    heads: heads === undefined ? [] : readHeads(resolve(command.io.cwd, heads)),
  });
  const { style } = command;
  if (command.json) {
    printJson(command, report);
    return report.ok ? 0 : 1;
  }
  const erased = report.erased === 0 ? "" : `, ${report.erased} of them erased on purpose`;
  const what = `${plural(report.events, "event")}${erased}`;
  if (report.ok) {
    const head = report.head === null ? "" : `; head ${report.head.seq} ${report.head.hash}`;
    printLine(command, `${style.good("✓ the journal is whole")}: ${what}${head}`);
    return 0;
  }
  printLine(command, `${style.bad("✗ the journal was damaged")}: ${what}`);
  for (const { seq, problem } of report.problems) {
    printLine(command, `  ${seq === 0 ? "" : `event ${seq}: `}${plainLine(problem)}`);
  }
  printLine(command, "Keep the database as it is and tell the operator; a backup restores it.");
  return 1;
}

/** Signed heads that were kept elsewhere, one JSON object a line, as the system's journal has them. The newest 10000. */
function readHeads(file: string): MethodInput<"audit.verify">["heads"] {
  const lines = readTextFile(file).split("\n");
  const heads = lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const head = SignedHead.safeParse(jsonOf(line));
    if (head.success) return [head.data];
    throw new AgentdError(
      "invalid_file",
      "audit verify",
      `${file}:${index + 1} is no signed head`,
      {
        hint: "`journalctl AAOS_KIND=audit_head -o cat --output-fields=AAOS_HEAD >FILE` writes them.",
      },
    );
  });
  return heads.slice(-10_000);
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function printEvent(command: Command, event: WireEvent): void {
  if (command.json) {
    printJson(command, event);
    return;
  }
  const { style } = command;
  const { step, text, tone } = describeAnyEvent(event);
  const run = event.run_id === undefined ? "-".padEnd(8) : shortId(plainLine(event.run_id));
  const painted = tone === "none" ? text : style[tone](text);
  printLine(
    command,
    `${style.dim(`${String(event.seq).padStart(6)} ${plainLine(event.time)} ${run}`)} ${plainLine(event.kind)}${step === "" ? "" : ` ${step}`} ${painted}`,
  );
}

/** A kind that does not exist would match nothing, and look like a quiet machine. */
function requireKinds(kinds: readonly string[]): void {
  const unknown = kinds.find((kind) => !EVENT_KINDS.includes(kind));
  if (unknown === undefined) return;
  const near = suggest(unknown, EVENT_KINDS);
  const help = near === undefined ? "" : `; did you mean ${near}?`;
  throw new AgentdError("usage", "filter events", `there is no kind '${unknown}'${help}`);
}

function filterOf({ run, agent, kind, since, until }: AuditOptions): MethodInput<"audit.query"> {
  requireKinds(kind ?? []);
  return {
    ...(run === undefined ? {} : { run_id: checked(run) }),
    ...(agent === undefined ? {} : { agent_id: checked(agent) }),
    ...(kind === undefined ? {} : { kind: [...kind] }),
    ...(since === undefined ? {} : { since: timeOf("--since", since) }),
    ...(until === undefined ? {} : { until: timeOf("--until", until) }),
  };
}

function checked(id: string): string {
  checkId(id);
  return id;
}

function timeOf(option: string, text: string): string {
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new AgentdError("usage", "audit", `${option} ${text}: expected a time as 2026-11-23T10:00`);
}

function limitOf({ limit }: AuditOptions): number | undefined {
  if (limit === undefined) return undefined;
  const count = Number(limit);
  if (Number.isSafeInteger(count) && count >= 1 && count <= 10_000) return count;
  throw new AgentdError("usage", "audit", `--limit ${limit}: expected a number from 1 to 10000`);
}
