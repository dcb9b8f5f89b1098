import type { Granted } from "../protocol/access.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { WebPort } from "../protocol/ports.js";
import { webAddress } from "../protocol/web-address.js";
import { portFailure } from "./port-failure.js";
import { dialerFor, type WebOptions } from "./web-dial.js";
import { webHop } from "./web-hop.js";

/**
 * The port `web` inside the daemon: GET of one hop, to addresses judged before the connection, with every size and time
 * bounded. A redirect is given back, never followed.
 */
export function daemonWeb(options: WebOptions): WebPort {
  return {
    fetch: async (granted, request, signal) => {
      const address = webAddress(request.url);
      if (typeof address === "string") return portFailure("failed", `${request.url} ${address}`);
      checkProof(granted, address);
      const tls = request.url.toLowerCase().startsWith("https:");
      const timeout = AbortSignal.timeout(request.timeout_ms);
      try {
        const both = AbortSignal.any([signal, timeout]);
        const dialer = await unlessAborted(dialerFor(address, tls, options), both);
        if ("ok" in dialer) return dialer;
        try {
          return await webHop(dialer, request, signal);
        } finally {
          await dialer.destroy();
        }
      } catch (thrown) {
        if (signal.aborted) return portFailure("failed", "stopped while under way");
        if (!timeout.aborted) throw thrown;
        return portFailure("timeout", `${request.url} took longer than ${request.timeout_ms} ms`);
      }
    },
  };
}

/** The result of work that knows no signal, such as a resolver's; rejects as soon as the signal aborts. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let giveUp = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    giveUp = () => reject(new Error("aborted", { cause: signal.reason }));
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** A proof for one host must not reach another: that would be a defect of the tool, not of its input. */
export function checkProof(
  granted: Granted<"network">,
  asked: { host: string; port: number },
): void {
  if (granted.host === asked.host && granted.port === asked.port) return;
  const message = `granted ${granted.host}:${granted.port}, asked for ${asked.host}:${asked.port}`;
  throw new AgentdError("internal", "fetch", message);
}
