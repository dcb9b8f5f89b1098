import type { Ethernet, ProvisionFile } from "../../protocol/provision-file.js";

/** The files of systemd.network(5) for netplan's version 2: before ours for every wired card, which has a larger number. Pure. */
export function networkFiles({
  ethernets,
}: NonNullable<ProvisionFile["network"]>): readonly (readonly [string, string])[] {
  return Object.entries(ethernets).map(([name, card]) => [
    `/etc/systemd/network/50-aaos-${name}.network`,
    networkFile(name, card),
  ]);
}

function networkFile(name: string, card: Ethernet): string {
  const { match, dhcp4, dhcp6, addresses, gateway4, gateway6, routes, nameservers, mtu } = card;
  const dhcp = dhcp4 && dhcp6 ? "yes" : dhcp4 ? "ipv4" : dhcp6 ? "ipv6" : "no";
  const matched =
    match?.macaddress !== undefined
      ? `MACAddress=${match.macaddress}`
      : `Name=${match?.name ?? name}`;
  const gateways = [gateway4, gateway6].flatMap((gateway) =>
    gateway === undefined ? [] : [`Gateway=${gateway}`],
  );
  return [
    "# From aaos.yaml.",
    "[Match]",
    matched,
    ...(mtu === undefined ? [] : ["", "[Link]", `MTUBytes=${mtu}`]),
    "",
    "[Network]",
    `DHCP=${dhcp}`,
    ...addresses.map((address) => `Address=${address}`),
    ...gateways,
    ...nameservers.addresses.map((server) => `DNS=${server}`),
    ...(nameservers.search.length === 0 ? [] : [`Domains=${nameservers.search.join(" ")}`]),
    ...routes.flatMap(({ to, via, metric }) => [
      "",
      "[Route]",
      ...(to === "default" ? [] : [`Destination=${to}`]),
      `Gateway=${via}`,
      ...(metric === undefined ? [] : [`Metric=${metric}`]),
    ]),
    "",
  ].join("\n");
}
