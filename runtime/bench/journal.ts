import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Journal, openJournal } from "../audit/journal.js";
import type { NewEvent } from "../protocol/event.js";

/**
 * Durable events a second and the latency of an append, against a bare write and fsync of as many bytes on the same disk, in one run.
 * `node dist/bench/journal.js [DIR [SECONDS]]` prints a Markdown table; DIR says which disk, the temporary directory's unless named.
 */
const ROUNDS = [1, 8, 64, 512] as const;
const EVENT_BYTES = 400;
const [, , parent = tmpdir(), seconds = "3"] = process.argv;

interface Measured {
  readonly name: string;
  readonly per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Events of one sync, on average. */
  readonly shared: number;
  readonly worst_delay_ms: number | null;
}

const event: NewEvent = {
  kind: "tool_result",
  actor: "agent",
  tool: "file_read",
  call_id: "call_0001",
  success: true,
  result_preview: "x".repeat(EVENT_BYTES - 200),
  denials: [],
  duration_ms: 3,
  execution_surface: "worker",
  confinement: ["landlock", "seccomp", "namespaces"],
};

function summary(name: string, latencies: readonly number[], tookMs: number) {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    name,
    per_second: (latencies.length / tookMs) * 1_000,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
  };
}

function bareFsync(dir: string, durationMs: number): Measured {
  const fd = openSync(join(dir, "bare"), "w");
  const bytes = Buffer.alloc(EVENT_BYTES, "x");
  const latencies: number[] = [];
  const start = performance.now();
  while (performance.now() - start < durationMs) {
    const before = performance.now();
    writeSync(fd, bytes);
    fsyncSync(fd);
    latencies.push(performance.now() - before);
  }
  closeSync(fd);
  const measured = summary("bare write + fsync", latencies, performance.now() - start);
  return { ...measured, shared: 1, worst_delay_ms: null };
}

async function appenders(journal: Journal, count: number, durationMs: number): Promise<Measured> {
  const latencies: number[] = [];
  const before = journal.stats();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const start = performance.now();
  const appendInTurn = async (): Promise<void> => {
    while (performance.now() - start < durationMs) {
      const asked = performance.now();
      await journal.append([event]);
      latencies.push(performance.now() - asked);
    }
  };
  delay.enable();
  await Promise.all(Array.from({ length: count }, appendInTurn));
  delay.disable();
  const measured = summary(`${count} appenders`, latencies, performance.now() - start);
  const after = journal.stats();
  const shared = (after.events - before.events) / (after.commits - before.commits);
  return { ...measured, shared, worst_delay_ms: delay.max / 1e6 };
}

function table(rows: readonly Measured[]): string {
  const bare = rows[0];
  const ratio = (value: number, base: number | undefined): string =>
    base === undefined ? "" : `${(value / base).toFixed(2)}×`;
  const lines = rows.map((row) =>
    [
      row.name,
      row.per_second.toFixed(0),
      ratio(row.per_second, bare?.per_second),
      row.p50_ms.toFixed(2),
      ratio(row.p50_ms, bare?.p50_ms),
      row.p99_ms.toFixed(2),
      ratio(row.p99_ms, bare?.p99_ms),
      row.shared.toFixed(1),
      row.worst_delay_ms?.toFixed(1) ?? "–",
    ].join(" | "),
  );
  return [
    "| | events/s, durable | to bare | p50 ms | to bare | p99 ms | to bare | events a sync | loop's worst delay ms |",
    "|---|---|---|---|---|---|---|---|---|",
    ...lines.map((line) => `| ${line} |`),
    "",
  ].join("\n");
}

const dir = mkdtempSync(join(parent, "aaos-bench-"));
try {
  const durationMs = Number(seconds) * 1_000;
  const rows = [bareFsync(dir, durationMs)];
  const journal = await openJournal({
    path: join(dir, "aaos.db"),
    entropy: { now: Date.now, randomBytes },
    redact: (text) => text,
  });
  for (const count of ROUNDS) rows.push(await appenders(journal, count, durationMs));
  await journal.close();
  process.stdout.write(table(rows));
} finally {
  rmSync(dir, { recursive: true });
}
