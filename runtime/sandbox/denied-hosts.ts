import type { Denial } from "../protocol/access.js";
import { authorityText } from "../protocol/host-name.js";
import type { EgressEvent } from "./egress/types.js";

/** A sandbox that asks for ever new hosts is told of this many. */
const MAX_HOSTS = 32;

/** What the proxy of one process refused, host by host; a later success takes a refusal back. Bounded. */
export class DeniedHosts {
  readonly #byTarget = new Map<string, Denial>();
  readonly #failures = new Map<string, string>();

  note({ host, port, verdict, denial, message }: EgressEvent): void {
    const target = authorityText(host, port);
    this.#failures.delete(target);
    if (verdict === "failed" && this.#failures.size < MAX_HOSTS)
      this.#failures.set(target, message);
    if (verdict === "allowed") this.#byTarget.delete(target);
    else if (verdict === "refused" && denial !== undefined && this.#byTarget.size < MAX_HOSTS)
      this.#byTarget.set(target, denial);
  }

  of(host: string, port: number): Denial | undefined {
    return this.#byTarget.get(authorityText(host, port));
  }

  /** Why a granted host could not be reached the last time, if it could not. */
  failure(host: string, port: number): string | undefined {
    return this.#failures.get(authorityText(host, port));
  }

  /** Each once, in the order in which they were refused. */
  all(): readonly Denial[] {
    const byMessage = new Map([...this.#byTarget.values()].map((each) => [each.message, each]));
    return [...byMessage.values()];
  }
}
