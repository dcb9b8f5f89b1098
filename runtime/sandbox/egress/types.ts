import type { Server } from "node:net";
import type { Denial, Granted } from "../../protocol/access.js";

/** The answer to one question about one host and port. */
export type Verdict =
  | {
      readonly ok: true;
      readonly granted: Granted<"network">;
      /**
       * True where both the token and policy.yaml name this very host or address, so that it may be a private one. A
       * wildcard names nothing.
       */
      readonly named: boolean;
    }
  | { readonly ok: false; readonly denial: Denial };

/** `open` is a use and may be counted; `probe` asks again (revocation, name look-up) and must not be. */
export type JudgePurpose = "open" | "probe";

/** Decides on a canonical host (see `protocol/host-name.ts`) and a port. Pure policy: the proxy adds the address guard. */
export type Judge = (host: string, port: number, purpose: JudgePurpose) => Verdict;

/** All addresses of a name, IPv4 and IPv6; rejects or answers none where there is none. Asked once a connection. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

export type EgressVia = "connect" | "http" | "socks" | "capture" | "dns" | "listener";

/** Why a verdict came out as it did; one word that tests and the audit trail compare. */
export type EgressReason =
  | "granted"
  | "not_granted"
  | "malformed"
  | "host_mismatch"
  | "sni_mismatch"
  | "sni_missing"
  | "encrypted_client_hello"
  | "not_tls"
  | "not_http"
  | "forbidden_address"
  | "unresolved"
  | "unreachable"
  | "timeout"
  | "quota"
  | "unsupported"
  | "revoked"
  | "closed";

export interface EgressEvent {
  readonly via: EgressVia;
  /** Canonical; empty where no host could be read. */
  readonly host: string;
  /** 0 where no port could be read. */
  readonly port: number;
  /** `refused` by a rule, `failed` by the network, `cut` after it had been allowed. */
  readonly verdict: "allowed" | "refused" | "failed" | "cut";
  readonly reason: EgressReason;
  readonly message: string;
  /** The address that was dialled, or the forbidden one that the name resolved to. */
  readonly address?: string;
  /** What would have allowed it, where the verdict is `refused`. */
  readonly denial?: Denial;
  /** Events of the same listeners left out just before this one, because they came faster than the report rate. */
  readonly suppressed?: number;
}

export interface EgressQuotas {
  /** Connections at the same time. */
  readonly max_connections: number;
  /** Bytes each way, over all connections of these listeners. */
  readonly max_bytes: number;
  /** A connection without a byte for this long is closed. */
  readonly idle_ms: number;
  /** Time for the client's request, and again for look-up and dialling. */
  readonly connect_ms: number;
  /** The longest life of one connection. */
  readonly total_ms: number;
}

/** The operator's own proxy (`proxy:` of agentd.yaml): it gets CONNECT for everything. */
export interface UpstreamProxy {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Value of Proxy-Authorization, if it wants one. */
  readonly authorization?: string;
}

/** What is handed over from inside a network namespace: a descriptor, or an own server that does not listen yet. */
export type StreamListener = { readonly fd: number } | { readonly server: Server };

export interface EgressListeners {
  /** CONNECT, absolute-URI requests and SOCKS5 on one port. */
  readonly proxy?: StreamListener;
  readonly dns_tcp?: StreamListener;
  /** A bound UDP socket. */
  readonly dns_udp?: { readonly fd: number };
  /** Transparent capture of port 80 and of port 443. */
  readonly http?: StreamListener;
  readonly https?: StreamListener;
}

export interface EgressOptions {
  readonly listeners: EgressListeners;
  readonly judge: Judge;
  readonly resolve: Resolve;
  /** Called once for each verdict, never throws. */
  readonly report: (event: EgressEvent) => void;
  readonly quotas: EgressQuotas;
  /** The machine's own addresses: never dialled unless named. Asked at each connection. */
  readonly ownAddresses: () => readonly string[];
  /**
   * A further say on each address a host leads to, where policy.yaml speaks of addresses and ranges. It can only refuse: the
   * guard stands before it.
   */
  readonly judgeAddress?: (to: {
    readonly host: string;
    readonly port: number;
    readonly address: string;
  }) => Denial | undefined;
  readonly upstream?: UpstreamProxy;
}

export interface EgressStats {
  readonly open: number;
  readonly accepted: number;
  readonly allowed: number;
  readonly refused: number;
  readonly failed: number;
  readonly cut: number;
  /** Bytes from the client and to it, beyond the proxy's own handshakes. */
  readonly bytes_up: number;
  readonly bytes_down: number;
}

export interface Egress {
  /** Ends everything: listeners closed, connections reset. Idempotent. */
  readonly close: () => Promise<void>;
  /** Tokens have changed: connections whose host is no longer granted are reset at once. */
  readonly cut: () => void;
  readonly stats: () => EgressStats;
}
