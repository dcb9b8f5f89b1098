import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Two servers on loopback for the length of one selftest: one that its policy names, and one that nothing may reach. */
export interface SelftestPages extends AsyncDisposable {
  /** HOST:PORT of the one that may be reached. */
  readonly open: string;
  /** HOST:PORT of the other. */
  readonly closed: string;
  /** How often anybody connected to the other. */
  readonly closedHits: () => number;
}

const PAGES: Readonly<Record<string, string>> = {
  "/one": article("Landlock", [
    "Landlock lets a process restrict itself and its children to named directories.",
    "It was merged into Linux 5.13 and needs no privilege.",
    "Landlock compares well with seccomp, because it speaks of files and not of system calls.",
  ]),
  "/two": article("Seccomp", [
    "Seccomp lets a process give up system calls that it does not need.",
    "Its filters were merged into Linux 3.5 and need no privilege.",
    "Seccomp compares well with Landlock, because it narrows the kernel itself.",
  ]),
};

export async function servePages(): Promise<SelftestPages> {
  let hits = 0;
  const closed = createServer((_request, response) => response.end("reached"));
  closed.on("connection", () => hits++);
  const closedAt = await listen(closed);
  const open = createServer((request, response) => {
    const page = PAGES[request.url ?? ""];
    if (request.url === "/away") response.writeHead(302, { location: `http://${closedAt}/` }).end();
    else if (page === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
  });
  const openAt = await listen(open);
  return {
    open: openAt,
    closed: closedAt,
    closedHits: () => hits,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([close(open), close(closed)]);
    },
  };
}

function article(title: string, facts: readonly string[]): string {
  const text = facts.map((fact) => `<p>${fact}</p>`).join("");
  return `<!doctype html><html lang="en"><head><title>${title}</title></head><body><article><h1>${title}</h1>${text}</article></body></html>`;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
