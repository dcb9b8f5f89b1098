/** Ends a `switch` over a union: does not compile while a case is missing. Throws if data broke the type. */
export function assertNever(value: never): never {
  throw new TypeError(`unreachable case: ${JSON.stringify(value)}`);
}
