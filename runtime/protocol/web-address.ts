/** Where a URL leads, as capabilities name it: host in lower case, no final dot, IPv6 without brackets; the port is never implied. */
interface WebAddress {
  readonly host: string;
  readonly port: number;
}

/** The address of an absolute http or https URL without user name and password; anything else is a sentence that says why not. */
export function webAddress(url: string): WebAddress | string {
  if (!URL.canParse(url)) return "is no absolute URL";
  const parsed = new URL(url);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return "must be http or https";
  if (parsed.username !== "" || parsed.password !== "") return "must not hold a user or password";
  const port = parsed.port === "" ? (parsed.protocol === "https:" ? 443 : 80) : Number(parsed.port);
  return { host: canonicalHost(parsed.hostname), port };
}

function canonicalHost(hostname: string): string {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return bare.toLowerCase().replace(/\.$/, "");
}
