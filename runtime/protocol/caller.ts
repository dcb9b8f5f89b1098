/** Who connected to a Unix socket, as the kernel knows it: SO_PEERCRED and SO_PEERGROUPS of unix(7). */
export interface Caller {
  /** Null where the kernel could not be asked: such a caller owns nothing and may do nothing. */
  readonly uid: number | null;
  /** Every group, the primary one among them. */
  readonly groups: readonly number[];
  /** Root, a member of `aaos-admin`, or whoever runs a daemon of their own under `--root`. */
  readonly admin: boolean;
}

/** The group whose members may do everything. */
export const ADMIN_GROUP = "aaos-admin";

interface Admins {
  /** Number of `aaos-admin`; null where this machine has no such group. */
  readonly gid: number | null;
  /** Who runs a daemon of their own, under `--root`; null for the machine's. */
  readonly owner: number | null;
}

/** What the kernel says of a peer, judged. `peer` is null where it says nothing. */
export function callerOf(
  peer: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] } | null,
  admins: Admins,
): Caller {
  if (peer === null) return { uid: null, groups: [], admin: false };
  const groups = [...new Set([peer.gid, ...peer.groups])].sort((a, b) => a - b);
  const { gid, owner } = admins;
  const admin = peer.uid === 0 || peer.uid === owner || (gid !== null && groups.includes(gid));
  return { uid: peer.uid, groups, admin };
}
