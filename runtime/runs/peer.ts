/** Who asks, as the socket tells; null where it cannot. */
export interface Peer {
  readonly uid: number | null;
}

/** The peer as the audit trail names it. */
export function actorOf(peer: Peer): string {
  return peer.uid === null ? "operator" : `uid:${peer.uid}`;
}
