import type { Usage } from "../protocol/model.js";

/** Tokens for people: `850`, `12.3k`, `4.56M`. */
export function formatTokens(count: number): string {
  if (count < 1_000) return String(count);
  if (count < 1_000_000) return `${(count / 1_000).toFixed(1)}k`;
  return `${(count / 1_000_000).toFixed(2)}M`;
}

/** Money, with as many places as it takes to be told from nothing: `$0`, `$0.0042`, `$1.27`. */
export function formatUsd(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0.000_05) return "<$0.0001";
  return usd < 1 ? `$${usd.toFixed(4)}` : `$${usd.toFixed(2)}`;
}

export function formatUsage({ input_tokens, output_tokens, usd }: Usage): string {
  return `${formatTokens(input_tokens)} in, ${formatTokens(output_tokens)} out, ${formatUsd(usd)}`;
}

/** `HH:MM:SS` of an RFC 3339 time, in the operator's own time zone. */
export function formatClock(time: string): string {
  const date = new Date(time);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** How ids are shown where space is short: their end, which tells them apart and which every verb takes. */
export function shortId(id: string): string {
  return id.slice(-8);
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
