import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Journal, openJournal } from "../audit/journal.js";
import type { NewEvent } from "../protocol/event.js";

/**
 * Durable events a second and the latency of an append, each round against a bare write and fsync of as many bytes on the same disk just
 * before it, so that what else the disk does weighs on both.
 * `node dist/bench/journal.js [DIR [SECONDS]]` prints a Markdown table; DIR says which disk, the temporary directory's unless named.
 */
const ROUNDS = [1, 8, 64, 512] as const;
const EVENT_BYTES = 400;
const [, , parent = tmpdir(), seconds = "3"] = process.argv;

interface Latency {
  readonly per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

interface Round extends Latency {
  readonly appenders: number;
  /** A write and an fsync of one event's bytes at the same time. */
  readonly bare: Latency;
  /** Events of one sync, on average. */
  readonly shared: number;
  readonly worst_delay_ms: number;
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

function summary(latencies: readonly number[], tookMs: number): Latency {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { per_second: (latencies.length / tookMs) * 1_000, p50_ms: at(0.5), p99_ms: at(0.99) };
}

function bareFsync(dir: string, durationMs: number): Latency {
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
  return summary(latencies, performance.now() - start);
}

async function measureRound(journal: Journal, count: number, durationMs: number): Promise<Round> {
  const bare = bareFsync(dir, durationMs / 2);
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
  const measured = summary(latencies, performance.now() - start);
  const after = journal.stats();
  const shared = (after.events - before.events) / (after.commits - before.commits);
  return { ...measured, appenders: count, bare, shared, worst_delay_ms: delay.max / 1e6 };
}

function table(rounds: readonly Round[]): string {
  const compared = (value: number, bare: number, digits: number): string =>
    `${value.toFixed(digits)} | ${bare.toFixed(digits)} | ${(value / bare).toFixed(2)}×`;
  const lines = rounds.map((round) =>
    [
      round.appenders,
      compared(round.per_second, round.bare.per_second, 0),
      compared(round.p50_ms, round.bare.p50_ms, 2),
      compared(round.p99_ms, round.bare.p99_ms, 2),
      round.shared.toFixed(1),
      round.worst_delay_ms.toFixed(1),
    ].join(" | "),
  );
  return [
    "| appenders | events/s, durable | bare fsyncs/s | ratio | p50 ms | bare | ratio | p99 ms | bare | ratio | events a sync | loop's worst delay ms |",
    `|${"---|".repeat(12)}`,
    ...lines.map((line) => `| ${line} |`),
    "",
  ].join("\n");
}

const dir = mkdtempSync(join(parent, "aaos-bench-"));
try {
  const durationMs = Number(seconds) * 1_000;
  const rounds: Round[] = [];
  const journal = await openJournal({
    path: join(dir, "aaos.db"),
    entropy: { now: Date.now, randomBytes },
    redact: (text) => text,
  });
  for (const count of ROUNDS) rounds.push(await measureRound(journal, count, durationMs));
  await journal.close();
  process.stdout.write(table(rounds));
} finally {
  rmSync(dir, { recursive: true });
}
