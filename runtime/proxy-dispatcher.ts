import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { parseArgs } from "node:util";
import { ProxyAgent } from "undici";

/**
 * The only way out of a confined Node program of ours: the egress proxy of its own network namespace, with the operator's own
 * authorities beside the usual ones.   [--proxy URL] [--ca FILE]...
 */
export function proxyDispatcher(args: readonly string[]): ProxyAgent {
  const { values } = parseArgs({
    args: [...args],
    options: {
      proxy: { type: "string", default: "http://127.0.0.1:3128" },
      ca: { type: "string", multiple: true, default: [] },
    },
  });
  const own = values.ca.map((file) => readFileSync(file, "utf8"));
  const requestTls = own.length === 0 ? {} : { ca: [...rootCertificates, ...own] };
  // A tunnel for plain HTTP as well: a refusal then is a failed tunnel, never mistaken for the site's own answer.
  return new ProxyAgent({ uri: values.proxy, proxyTunnel: true, requestTls });
}
