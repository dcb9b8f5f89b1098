#!/usr/bin/env node
// The confined web worker: fetches what the daemon asks for and turns HTML into Markdown, so that no byte of a foreign page is
// parsed in the daemon. Its only way out is the egress proxy of its own network namespace.
//   web-worker [--proxy URL] [--ca FILE]...
import { proxyDispatcher } from "./proxy-dispatcher.js";
import { serveWebRequests } from "./sandbox/serve-web-requests.js";

const dispatcher = proxyDispatcher(process.argv.slice(2));
await serveWebRequests(process.stdin, process.stdout, dispatcher);
await dispatcher.destroy();
