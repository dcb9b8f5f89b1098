#!/usr/bin/env node
// The confined web worker: fetches what the daemon asks for and turns HTML into Markdown, so that no byte of a foreign page is
// parsed in the daemon. Its only way out is the egress proxy of its own network namespace.
//   web-worker [--proxy URL] [--ca FILE]...
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { parseArgs } from "node:util";
import { ProxyAgent } from "undici";
import { serveWebRequests } from "./sandbox/serve-web-requests.js";

const { values } = parseArgs({
  options: {
    proxy: { type: "string", default: "http://127.0.0.1:3128" },
    ca: { type: "string", multiple: true, default: [] },
  },
});
const own = values.ca.map((file) => readFileSync(file, "utf8"));
const requestTls = own.length === 0 ? {} : { ca: [...rootCertificates, ...own] };
// A tunnel for plain HTTP as well: a refusal then is a failed tunnel, never mistaken for the site's own answer.
const dispatcher = new ProxyAgent({ uri: values.proxy, proxyTunnel: true, requestTls });
await serveWebRequests(process.stdin, process.stdout, dispatcher);
await dispatcher.destroy();
