// The demo's pages, served on the host's loopback: a VM with an open card reaches them at 10.0.2.2.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, join } from "node:path";

const folder = join(import.meta.dirname, "../../packaging/demo/pages");

/** @returns {Promise<{port: number, close: () => Promise<void>}>} */
export async function servePages() {
  const server = createServer((request, response) => {
    readFile(join(folder, basename(request.url ?? ""))).then(
      (page) => response.setHeader("content-type", "text/html").end(page),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
