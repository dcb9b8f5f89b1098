import type {
  SeccompAction,
  SeccompArch,
  SeccompCheck,
  SeccompPlan,
  SeccompRule,
} from "../../protocol/confinement.js";
import { SYSCALL_NUMBERS } from "./numbers.js";

/** A rule before its number is known. Without checks it decides for every call of that name. */
export interface SyscallRule {
  readonly name: string;
  readonly action: SeccompAction;
  readonly checks: readonly SeccompCheck[];
}

/** Every call named in `text`, separated by white space, gets this action unconditionally. */
export function each(action: SeccompAction, text: string): readonly SyscallRule[] {
  return text
    .trim()
    .split(/\s+/)
    .map((name) => ({ name, action, checks: [] }));
}

export function when(
  name: string,
  action: SeccompAction,
  ...checks: readonly SeccompCheck[]
): SyscallRule {
  return { name, action, checks };
}

/** The 32-bit argument number `arg` is exactly `value`. */
export function is(arg: number, value: number): SeccompCheck {
  return { arg, mask: 0xffff_ffff, value };
}

/** The bits of `mask` in argument number `arg` are exactly `value`. */
export function bits(arg: number, mask: number, value: number): SeccompCheck {
  return { arg, mask, value };
}

/** One rule a value: argument `arg` may be any of them. */
export function oneOf(
  name: string,
  action: SeccompAction,
  arg: number,
  values: readonly number[],
): readonly SyscallRule[] {
  return values.map((value) => when(name, action, is(arg, value)));
}

/**
 * The table for one architecture. Calls that it does not have are left out; a name that no architecture has is a mistake of
 * ours and throws. An unlisted number answers ENOSYS, so that a C library falls back.
 */
export function seccompPlan(rules: readonly SyscallRule[], arch: SeccompArch): SeccompPlan {
  const resolved: SeccompRule[] = [];
  for (const { name, action, checks } of rules) {
    const numbers = SYSCALL_NUMBERS.get(name);
    if (numbers === undefined) throw new RangeError(`no system call is named ${name}`);
    const nr = numbers[arch];
    if (nr !== undefined) resolved.push({ name, nr, action, checks: [...checks] });
  }
  return { arch, default_action: "ENOSYS", rules: resolved };
}
