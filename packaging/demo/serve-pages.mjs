// Serves the HTML files of a folder on a free port of 127.0.0.1 and prints the base URL. Ends with its parent's signal.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, join } from "node:path";

const folder = process.argv[2];
const server = createServer((request, response) => {
  readFile(join(folder, basename(new URL(request.url, "http://localhost").pathname))).then(
    (page) => response.setHeader("content-type", "text/html; charset=utf-8").end(page),
    () => response.writeHead(404).end("not found\n"),
  );
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));
