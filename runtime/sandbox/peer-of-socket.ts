import type { Socket } from "node:net";
import type { Addon, PeerCredentials } from "./addon.js";

/** Whoever connected to a Unix socket, as the kernel knows it; null where the socket has gone meanwhile. */
export function peerOfSocket(addon: Addon, socket: Socket): PeerCredentials | null {
  // Node has no public name for a socket's descriptor.
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
  if (handle?.fd === undefined || handle.fd < 0) return null;
  try {
    return addon.peerCredentials(handle.fd);
  } catch {
    return null;
  }
}
