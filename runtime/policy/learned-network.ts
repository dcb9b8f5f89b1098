import type { AccessOf } from "../protocol/access.js";
import { canonicalHost } from "../protocol/host-name.js";
import type { ObservedConnect } from "../protocol/observation.js";

type Finding =
  | { readonly access: AccessOf<"network">; readonly note: string }
  | { readonly access?: never; readonly note: string };

/** The connections that a `network:` capability can allow, and what is to be said of each one and of all the others. */
export function networkNeeds(
  connects: readonly ObservedConnect[],
  notes: Set<string>,
): readonly AccessOf<"network">[] {
  const tcp = new Set(connects.flatMap((one) => (one.protocol === "tcp" ? [one.host] : [])));
  const findings = connects.flatMap((one) => {
    // The C library connects datagram sockets to sort addresses; nothing is sent.
    const found = one.protocol === "udp" && tcp.has(one.host) ? undefined : judge(one);
    return found === undefined ? [] : [found];
  });
  for (const { note } of findings) notes.add(note);
  return findings.flatMap(({ access }) => (access === undefined ? [] : [access]));
}

function judge(one: ObservedConnect): Finding | undefined {
  if (one.protocol === "unix") {
    const note = `the Unix socket ${one.path ?? ""} is not there in a sandbox`;
    return one.kind === "absent" ? undefined : { note };
  }
  const { host: address = "", port = 0 } = one;
  if (port === 53) {
    return {
      note: "names are resolved by the daemon, for granted hosts only: that needs no grant",
    };
  }
  if (one.protocol === "udp") {
    return { note: `UDP to ${address} port ${port} is not carried out of a sandbox` };
  }
  const host = canonicalHost(address);
  if (host === undefined || port === 0) return undefined;
  const note = `${address} is an address: grant the name that it was reached by, if it has one`;
  return { access: { kind: "network", host, port }, note };
}
