import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface Page {
  readonly status?: number;
  readonly body: string;
  readonly delayMs?: number;
  readonly location?: string;
  /** Never answers. */
  readonly hang?: boolean;
}

/** Pages on loopback, by path, and how often each was asked for. */
export interface PageServer {
  readonly url: (path: string) => string;
  readonly hits: (path: string) => number;
  /** How long the newest answer took, from the request to its last byte, in ms; 0 where there was none. */
  readonly tookMs: (path: string) => number;
  readonly set: (path: string, page: Page) => void;
  readonly close: () => Promise<void>;
}

/** An article as a site would serve it, `facts` one paragraph each. */
export function article(title: string, facts: readonly string[]): string {
  const paragraphs = facts.map((fact) => `<p>${fact}</p>`).join("\n");
  return `<!doctype html><html lang="en"><head><title>${title}</title></head><body><article><h1>${title}</h1>\n${paragraphs}\n</article></body></html>`;
}

export async function startPages(pages: Readonly<Record<string, Page>>): Promise<PageServer> {
  const served = new Map(Object.entries(pages));
  const hits = new Map<string, number>();
  const took = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    hits.set(path, (hits.get(path) ?? 0) + 1);
    const asked = performance.now();
    response.on("close", () => took.set(path, performance.now() - asked));
    serve(served.get(path), response).catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    hits: (path) => hits.get(path) ?? 0,
    tookMs: (path) => took.get(path) ?? 0,
    set: (path, page) => void served.set(path, page),
    close: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(page: Page | undefined, response: ServerResponse): Promise<void> {
  if (page?.hang === true) return;
  if (page?.delayMs !== undefined) await sleep(page.delayMs);
  response.statusCode = page === undefined ? 404 : (page.status ?? 200);
  response.setHeader("content-type", "text/html; charset=utf-8");
  if (page?.location !== undefined) response.setHeader("location", page.location);
  response.end(page?.body ?? "not found");
}
