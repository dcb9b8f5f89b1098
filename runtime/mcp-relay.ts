#!/usr/bin/env node
// The confined relay to one MCP server that is reached over HTTP. Its only way out is the egress proxy of its own network namespace.
//   mcp-relay [--proxy URL] [--ca FILE]...
import { fetch } from "undici";
import { proxyDispatcher } from "./proxy-dispatcher.js";
import { relayHttp } from "./tools/mcp/http-relay.js";

const dispatcher = proxyDispatcher(process.argv.slice(2));
// The types of this undici and of the one inside Node differ in nothing that is used here.
const viaProxy = (url: string | URL, init?: object) =>
  fetch(url, { ...init, dispatcher }) as Promise<unknown> as Promise<Response>;
await relayHttp(process.stdin, process.stdout, viaProxy);
process.exit(0);
