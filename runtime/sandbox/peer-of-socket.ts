import type { Socket } from "node:net";
import type { Addon } from "./addon.js";

/** The user id of whoever connected to a Unix socket, as the kernel knows it; null where the socket has gone meanwhile. */
export function peerUid(addon: Addon, socket: Socket): number | null {
  // Node has no public name for a socket's descriptor.
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
  if (handle?.fd === undefined || handle.fd < 0) return null;
  try {
    return addon.peerCredentials(handle.fd).uid;
  } catch {
    return null;
  }
}
