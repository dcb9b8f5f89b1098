import type { Capability } from "../protocol/capability.js";
import type { CompileRequest } from "../protocol/compile.js";
import type { EgressListener } from "../protocol/confinement.js";

/** Where a client that knows of proxies goes. */
const PROXY_PORT = 3_128;
const PROXY = `http://127.0.0.1:${PROXY_PORT}`;

const EXPLICIT: EgressListener = { protocol: "tcp", address: "127.0.0.1", port: PROXY_PORT };
/** For clients that know none: names are answered by the stub, and whatever is dialled arrives at the daemon. */
const TRANSPARENT: readonly EgressListener[] = [
  { protocol: "udp", address: "127.0.0.1", port: 53 },
  { protocol: "tcp", address: "127.0.0.1", port: 53 },
  { protocol: "tcp", address: "0.0.0.0", port: 80 },
  { protocol: "tcp", address: "0.0.0.0", port: 443 },
];

/** True where the process may ask the egress proxy at all; which hosts it reaches is the proxy's to judge. */
export function mayUseNetwork(
  capabilities: readonly Capability[],
  request: CompileRequest,
): boolean {
  const isGranted = capabilities.some(({ kind }) => kind === "network" || kind === "web_search");
  switch (request.kind) {
    case "files":
    case "model":
      return false;
    case "web":
      return isGranted;
    case "program":
      return (
        isGranted &&
        request.network &&
        request.purpose.kind !== "file_read" &&
        request.purpose.kind !== "git_commit"
      );
  }
}

/** The listening sockets of the sandbox's own network namespace; the daemon holds them, nobody inside does. */
export function egressListeners(
  kind: CompileRequest["kind"],
  network: boolean,
): readonly EgressListener[] {
  if (!network) return [];
  return kind === "web" ? [EXPLICIT] : [EXPLICIT, ...TRANSPARENT];
}

/** For the comfort of clients that look at it; nothing depends on it. */
export function proxyEnvironment(caBundle: string | undefined): Readonly<Record<string, string>> {
  const names = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
  ];
  return {
    ...Object.fromEntries(names.map((name) => [name, PROXY])),
    NODE_USE_ENV_PROXY: "1",
    ...(caBundle !== undefined && {
      SSL_CERT_FILE: caBundle,
      GIT_SSL_CAINFO: caBundle,
      CARGO_HTTP_CAINFO: caBundle,
      CURL_CA_BUNDLE: caBundle,
    }),
  };
}
