import { type Account, lineOf, type Spent } from "./account.js";

/** Below this a reply is of no use; a call that wants less anyway gets what it wants. Tokens. */
const LEAST_OUTPUT = 256;

/** What a call may come to, before it is made. Prices are dollars a token. */
export interface CallEstimate {
  /** Tokens of the input: surely no more than `most`, probably `likely`. */
  readonly input: { readonly likely: number; readonly most: number };
  readonly max_output_tokens: number;
  readonly price: { readonly input: number; readonly output: number };
}

export interface Shortage {
  readonly account: Account;
  readonly unit: "tokens" | "usd";
  /** What the next call would come to at least, in that unit. */
  readonly needed: number;
}

/** A part of one account that a call takes up until it is settled. */
export interface Hold {
  readonly account: Account;
  readonly amount: Spent;
  /** The call may come to more than is left here, and must be the only one until it has ended. */
  readonly isTight: boolean;
}

export type Fit =
  | {
      readonly verdict: "fits";
      readonly max_output_tokens: number;
      readonly holds: readonly Hold[];
    }
  /** Once what is under way has been settled there may be room. */
  | { readonly verdict: "wait"; readonly account: Account }
  | { readonly verdict: "short"; readonly shortage: Shortage };

/**
 * Whether a call may be made now under every account of the line. A call that surely fits goes at once, beside others. One that
 * may not fit is let in alone, with its output cut to what is left: so all calls together never exceed a limit by more than
 * what one of them costs. Pure.
 */
export function fitCall(call: CallEstimate, account: Account): Fit {
  const line = lineOf(account);
  const blocked = line.find(
    (one) => one.isTight || (one.underWay > 0 && !surelyFits(call, call.max_output_tokens, one)),
  );
  if (blocked !== undefined) return { verdict: "wait", account: blocked };
  const cut = cutOutput(call, line);
  if (typeof cut !== "number") return { verdict: "short", shortage: cut };
  const holds = line.map((one): Hold => {
    const isTight = !surelyFits(call, cut, one);
    const input = isTight ? call.input.likely : call.input.most;
    return { account: one, amount: costOf(call, input, cut), isTight };
  });
  return { verdict: "fits", max_output_tokens: cut, holds };
}

/** The output that every account leaves for the call, behind the input that it probably has. */
function cutOutput(call: CallEstimate, line: readonly Account[]): number | Shortage {
  const least = Math.min(LEAST_OUTPUT, call.max_output_tokens);
  let output = call.max_output_tokens;
  for (const account of line) {
    if (surelyFits(call, call.max_output_tokens, account)) continue;
    const left = leftOf(account);
    const byTokens = left.tokens - call.input.likely;
    const needed = costOf(call, call.input.likely, least);
    if (byTokens < least) return { account, unit: "tokens", needed: needed.tokens };
    const byUsd = outputFor(left.usd - call.input.likely * call.price.input, call.price.output);
    if (byUsd < least) return { account, unit: "usd", needed: needed.usd };
    output = Math.min(output, Math.floor(byTokens), Math.floor(byUsd));
  }
  return output;
}

/** The output tokens that so many dollars pay for. A model without a price can always be paid, while anything is left. */
function outputFor(usd: number, price: number): number {
  if (usd < 0 || (usd === 0 && price > 0)) return 0;
  return price === 0 ? Number.POSITIVE_INFINITY : usd / price;
}

function surelyFits(call: CallEstimate, output: number, account: Account): boolean {
  const left = leftOf(account);
  const cost = costOf(call, call.input.most, output);
  return cost.tokens <= left.tokens && cost.usd <= left.usd;
}

function costOf({ price }: CallEstimate, input: number, output: number): Spent {
  return { tokens: input + output, usd: input * price.input + output * price.output };
}

/** What neither was spent nor is reserved; infinite where there is no ceiling. */
export function leftOf({ limits, spent, reserved }: Account): Spent {
  const left = (limit: number | undefined, used: number): number =>
    limit === undefined ? Number.POSITIVE_INFINITY : limit - used;
  return {
    tokens: left(limits.tokens, spent.tokens + reserved.tokens),
    usd: left(limits.usd, spent.usd + reserved.usd),
  };
}
