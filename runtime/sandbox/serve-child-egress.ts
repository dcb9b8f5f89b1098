import type { EgressListener } from "../protocol/confinement.js";
import type { ConfinedAgent, Machine } from "./confined-agent.js";
import { DeniedHosts } from "./denied-hosts.js";
import { serveEgress } from "./egress/serve.js";
import type { Egress, EgressListeners, Judge } from "./egress/types.js";

/** Which listener of a plan is which door of the proxy, by protocol and port. */
const DOORS: Readonly<Record<string, keyof EgressListeners>> = {
  "tcp:3128": "proxy",
  "tcp:80": "http",
  "tcp:443": "https",
  "tcp:53": "dns_tcp",
  "udp:53": "dns_udp",
};

interface ChildEgress {
  readonly machine: Machine;
  readonly agent: ConfinedAgent;
  /** As the plan named them. */
  readonly planned: readonly EgressListener[];
  /** The descriptors that came out of the sandbox, in the same order; taken over. */
  readonly fds: readonly number[];
  readonly judge: Judge;
}

/** The only way out of one confined process, or null where it has none, and what it refused. The caller closes it. */
export function serveChildEgress(child: ChildEgress): {
  readonly egress: Egress | null;
  readonly hosts: DeniedHosts;
} {
  const { machine, agent, planned, fds, judge } = child;
  const hosts = new DeniedHosts();
  if (fds.length === 0) return { egress: null, hosts };
  const listeners: EgressListeners = Object.fromEntries(
    planned.flatMap(({ protocol, port }, index) => {
      const door = DOORS[`${protocol}:${port}`];
      const fd = fds[index];
      return door === undefined || fd === undefined ? [] : [[door, { fd }]];
    }),
  );
  const egress = serveEgress({
    ...machine.egress,
    listeners,
    judge,
    judgeAddress: agent.judgeAddress,
    report: (event) => {
      agent.report(event);
      hosts.note(event);
    },
  });
  return { egress, hosts };
}
