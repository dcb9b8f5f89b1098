const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Milliseconds of a duration as operators write it: `90s`, `10min`, `1h30m`, `250ms`, `7d`; a bare number is seconds.
 * Returns undefined for anything else, for zero and for more than 365 days.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return bounded(Number(trimmed) * 1_000);
  if (!/^(\d+(\.\d+)?(ms|min|[smhd]))+$/.test(trimmed)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|min|[smhd])/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  }
  return bounded(totalMs);
}

function bounded(ms: number): number | undefined {
  return ms > 0 && ms <= 365 * 86_400_000 ? ms : undefined;
}

/** A duration for people: `850ms`, `12.3s`, `4m05s`, `2h07m`, `3d04h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3_600)}h${pad(Math.floor(seconds / 60) % 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${pad(Math.floor(seconds / 3_600) % 24)}h`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

/**
 * Does `work` under a signal that aborts with `signal`, or with a TimeoutError after `ms`. In the place of an `AbortSignal.timeout` given
 * to `AbortSignal.any`: Node 20 collects one that nothing else holds, and what hangs would hang for ever.
 */
export async function withinTime<T>(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort(new DOMException(`it took longer than ${formatDuration(ms)}`, "TimeoutError"));
  }, ms);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
