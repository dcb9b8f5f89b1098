import type { Socket } from "node:net";
import { ADMIN_GROUP, type Caller, callerOf } from "./protocol/caller.js";
import { isInstalled, type Places } from "./protocol/places.js";
import type { Addon } from "./sandbox/addon.js";
import { peerOfSocket } from "./sandbox/peer-of-socket.js";

/**
 * Who asks on the daemon's socket. Under `--root` the daemon is its starter's own; the machine's daemon has no owner but root. Without
 * the addon nobody is known, and nobody may do anything.
 */
export function peersOf(addon: Addon | null, places: Places): (socket: Socket) => Caller {
  if (addon === null) return () => callerOf(null, { gid: null, owner: null });
  const owner = isInstalled(places) ? null : (process.getuid?.() ?? null);
  const gid = addon.groupId(ADMIN_GROUP);
  return (socket) => callerOf(peerOfSocket(addon, socket), { gid, owner });
}
