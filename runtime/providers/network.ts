import { rootCertificates } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent, fetch as undiciFetch } from "undici";

export interface NetworkOptions {
  /** A forward proxy for everything but loopback. */
  readonly proxy?: string;
  /** PEM texts of authorities that are trusted beside the usual ones. */
  readonly ca?: readonly string[];
}

/**
 * A fetch of its own connections: without undici's five-minute limits, so that a provider's `timeout_s` alone decides, and through
 * the proxy where there is one. Idle connections are closed by themselves and keep no process alive.
 */
export function providerFetch(options: NetworkOptions): typeof fetch {
  const ca = options.ca ?? [];
  const tls = ca.length === 0 ? {} : { ca: [...rootCertificates, ...ca] };
  const limits = { headersTimeout: 0, bodyTimeout: 0 };
  const direct = new Agent({ ...limits, connect: { timeout: 30_000, ...tls } });
  const { proxy } = options;
  const outside: Dispatcher =
    proxy === undefined
      ? direct
      : new ProxyAgent({ uri: proxy, ...limits, requestTls: tls, proxyTls: tls });
  const wrapped = (input: unknown, init?: object): Promise<unknown> => {
    const url =
      typeof input === "string" ? input : String((input as { url?: string }).url ?? input);
    const dispatcher = isLoopback(url) ? direct : outside;
    return undiciFetch(input as string, { ...init, dispatcher });
  };
  return wrapped as unknown as typeof fetch;
}

function isLoopback(url: string): boolean {
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  return host === "localhost" || host === "[::1]" || /^127(\.\d+){3}$/.test(host);
}
