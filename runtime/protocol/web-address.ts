import { canonicalHost } from "./host-name.js";

/** Where a URL leads, as capabilities name it: the host canonical, the port never implied. */
export interface WebAddress {
  readonly host: string;
  readonly port: number;
}

/** The address of an absolute http or https URL without user name and password; anything else is a sentence that says why not. */
export function webAddress(url: string): WebAddress | string {
  if (!URL.canParse(url)) return "is no absolute URL";
  const parsed = new URL(url);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return "must be http or https";
  if (parsed.username !== "" || parsed.password !== "") return "must not hold a user or password";
  const host = canonicalHost(parsed.hostname);
  if (host === undefined) return "names no host";
  const port = parsed.port === "" ? (parsed.protocol === "https:" ? 443 : 80) : Number(parsed.port);
  return { host, port };
}
