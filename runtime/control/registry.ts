import { METHODS, type Method, STREAMING } from "../protocol/control.js";
import type { CallContext, Handlers } from "./handler.js";

/** True for a method of the protocol; `constructor` and the like are none. */
export function isMethod(name: string): name is Method {
  return Object.hasOwn(METHODS, name);
}

export function isStreaming(method: Method): boolean {
  return STREAMING.has(method);
}

/** The handler with its types forgotten: its params were parsed by the same method's schema, which the compiler cannot follow. */
export function anyHandler(
  handlers: Handlers,
  method: Method,
): (params: unknown, context: CallContext) => unknown {
  return handlers[method] as (params: unknown, context: CallContext) => unknown;
}
