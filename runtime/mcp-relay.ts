#!/usr/bin/env node
// The confined relay to one MCP server that is reached over HTTP. Its only way out is the egress proxy of its own network namespace.
//   mcp-relay [--proxy URL] [--ca FILE]...
import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { parseArgs } from "node:util";
import { fetch, ProxyAgent } from "undici";
import { relayHttp } from "./tools/mcp/http-relay.js";

const { values } = parseArgs({
  options: {
    proxy: { type: "string", default: "http://127.0.0.1:3128" },
    ca: { type: "string", multiple: true, default: [] },
  },
});
const own = values.ca.map((file) => readFileSync(file, "utf8"));
const requestTls = own.length === 0 ? {} : { ca: [...rootCertificates, ...own] };
const dispatcher = new ProxyAgent({ uri: values.proxy, proxyTunnel: true, requestTls });
// The types of this undici and of the one inside Node differ in nothing that is used here.
const viaProxy = (url: string | URL, init?: object) =>
  fetch(url, { ...init, dispatcher }) as Promise<unknown> as Promise<Response>;
await relayHttp(process.stdin, process.stdout, viaProxy);
process.exit(0);
