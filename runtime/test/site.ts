import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Site extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Paths that were asked for. */
  readonly hits: readonly string[];
}

/** A web site of a test on loopback; the name is for a resolver that answers 127.0.0.1. */
export async function serve(listener: RequestListener): Promise<Site> {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(request.url ?? "");
    listener(request, response);
  });
  return { ...(await listen(server)), hits };
}

/** Opens a server on a free port of loopback; closed with all its connections when disposed of. */
export async function listen(server: Server): Promise<Omit<Site, "hits">> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { port, url: `http://site.test:${port}`, [Symbol.asyncDispose]: close };
}
