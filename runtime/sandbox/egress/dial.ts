import { connect, isIPv6, type Socket } from "node:net";
import { errorText } from "../../base/error-text.js";

/** RFC 8305 section 5: the next address is tried when the one before has not answered for this long. */
const ATTEMPT_DELAY_MS = 250;
const MAX_ADDRESSES = 8;

export interface Dialled {
  readonly socket: Socket;
  readonly address: string;
}

/**
 * A TCP connection to the first of these addresses that answers (happy eyeballs over literal addresses: nothing is looked
 * up here). The caller owns the socket; losers are destroyed. Rejects with the last failure, or when aborted.
 */
export function dial(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<Dialled> {
  const queue = interleave(addresses).slice(0, MAX_ADDRESSES);
  const pending = new Set<Socket>();
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (finish: () => void, winner?: Socket) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      for (const socket of pending) if (socket !== winner) socket.destroy();
      finish();
    };
    const onAbort = () => settle(() => reject(new Error(errorText(signal.reason))));
    const failed = (socket: Socket, error: Error) => {
      if (!pending.delete(socket)) return;
      if (queue.length > 0) attempt();
      else if (pending.size === 0) settle(() => reject(error));
    };
    const attempt = () => {
      clearTimeout(timer);
      const address = queue.shift();
      if (address === undefined) return;
      const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
      pending.add(socket);
      socket.on("error", (error) => failed(socket, error));
      socket.once("connect", () => settle(() => resolve({ socket, address }), socket));
      timer = setTimeout(attempt, ATTEMPT_DELAY_MS);
    };
    if (signal.aborted || queue.length === 0) return reject(new Error("nothing to dial"));
    signal.addEventListener("abort", onAbort);
    attempt();
  });
}

/** IPv6 and IPv4 in turn, beginning with the family of the first. */
function interleave(addresses: readonly string[]): string[] {
  const first = addresses[0] !== undefined && isIPv6(addresses[0]);
  const leading = addresses.filter((address) => isIPv6(address) === first);
  const trailing = addresses.filter((address) => isIPv6(address) !== first);
  return leading
    .flatMap((address, index) => [address, ...trailing.slice(index, index + 1)])
    .concat(trailing.slice(leading.length));
}
