import type { Usage } from "../../protocol/model.js";
import {
  type Account,
  type AccountOpening,
  type Limits,
  lineOf,
  minus,
  NOTHING_SPENT,
  openAccount,
  plus,
  rollPeriod,
  spentOf,
} from "./account.js";
import { type CallEstimate, type Fit, fitCall, type Hold, type Shortage } from "./fit-call.js";

/** A part of a budget that a call may use up. */
export interface Reservation extends Disposable {
  /** The most that the call may answer: what was asked for, or less where less is left. */
  readonly max_output_tokens: number;
  /** What the call has come to: spent, and the rest of the part is free again. Disposing settles with nothing spent. */
  readonly settle: (usage: Usage) => void;
}

export type Reserved =
  | { readonly ok: true; readonly reservation: Reservation }
  | { readonly ok: false; readonly shortage: Shortage };

/**
 * The tree of budgets of one daemon: the machine's day above runs, runs above their steps, agents above their children. What is
 * spent is counted in every account of the line, and nothing is spent that was not reserved before. Nothing here outlives the
 * daemon: accounts are opened with what the journal says was spent.
 */
export interface Budgets {
  /** The machine's day, which bounds all others. */
  readonly day: Account;
  readonly open: (opening: AccountOpening, parent: Account) => Account;
  /**
   * Waits while calls under way may leave room, in the order of asking; `ok: false` where there is none even then. Rejects with
   * the signal's reason.
   */
  readonly reserve: (
    account: Account,
    call: CallEstimate,
    signal: AbortSignal,
  ) => Promise<Reserved>;
  /** Gives an account more room from now on. */
  readonly raise: (account: Account, by: Limits) => void;
}

interface Waiter {
  readonly account: Account;
  readonly call: CallEstimate;
  readonly done: (reserved: Reserved) => void;
}

export function openBudgets(day: Omit<AccountOpening, "scope">, now: () => number): Budgets {
  const waiting: Waiter[] = [];

  /** Lets in whoever fits, in order: nobody passes one who waits for the same account. */
  const serve = (): void => {
    const claimed = new Set<Account>();
    for (const waiter of [...waiting]) {
      const line = lineOf(waiter.account);
      for (const one of line) rollPeriod(one, now());
      if (line.some((one) => claimed.has(one))) continue;
      const fit = fitCall(waiter.call, waiter.account);
      if (fit.verdict === "wait") claimed.add(fit.account);
      else {
        waiting.splice(waiting.indexOf(waiter), 1);
        waiter.done(reservedOf(fit));
      }
    }
  };
  const reservedOf = (fit: Exclude<Fit, { verdict: "wait" }>): Reserved => {
    if (fit.verdict === "short") return { ok: false, shortage: fit.shortage };
    const { holds, max_output_tokens } = fit;
    takeUp(holds);
    const end = once((usage: Usage | undefined) => {
      release(holds, usage, now());
      serve();
    });
    return {
      ok: true,
      reservation: { max_output_tokens, settle: end, [Symbol.dispose]: () => end(undefined) },
    };
  };

  return {
    day: openAccount({ ...day, scope: "day" }, undefined, now()),
    open: (opening, parent) => openAccount(opening, parent, now()),
    reserve: async (account, call, signal) => {
      signal.throwIfAborted();
      return new Promise<Reserved>((resolve, reject) => {
        const done = (reserved: Reserved): void => {
          signal.removeEventListener("abort", leave);
          resolve(reserved);
        };
        const waiter: Waiter = { account, call, done };
        const leave = (): void => {
          waiting.splice(waiting.indexOf(waiter), 1);
          reject(signal.reason as Error);
          serve();
        };
        signal.addEventListener("abort", leave, { once: true });
        waiting.push(waiter);
        serve();
      });
    },
    raise: (account, by) => {
      const { tokens, usd } = account.limits;
      account.limits = {
        tokens: tokens === undefined ? undefined : tokens + (by.tokens ?? 0),
        usd: usd === undefined ? undefined : usd + (by.usd ?? 0),
      };
      serve();
    },
  };
}

function takeUp(holds: readonly Hold[]): void {
  for (const { account, amount, isTight } of holds) {
    account.reserved = plus(account.reserved, amount);
    account.underWay++;
    account.isTight ||= isTight;
  }
}

function release(holds: readonly Hold[], usage: Usage | undefined, nowMs: number): void {
  for (const { account, amount, isTight } of holds) {
    rollPeriod(account, nowMs);
    account.underWay--;
    account.reserved = account.underWay === 0 ? NOTHING_SPENT : minus(account.reserved, amount);
    if (isTight) account.isTight = false;
    if (usage !== undefined) account.spent = plus(account.spent, spentOf(usage));
  }
}

function once<T>(act: (value: T) => void): (value: T) => void {
  let isDone = false;
  return (value) => {
    if (isDone) return;
    isDone = true;
    act(value);
  };
}
