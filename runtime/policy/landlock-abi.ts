import {
  LANDLOCK_FS_RIGHTS,
  LANDLOCK_NET_RIGHTS,
  LANDLOCK_SCOPES,
  type LandlockFsRight,
  type LandlockNetRight,
  type LandlockScope,
} from "../protocol/confinement.js";

/** What one Landlock ABI can restrict. All of it is always handled: what no rule gives is denied. */
export interface LandlockAbi {
  readonly abi: number;
  readonly handled_fs: readonly LandlockFsRight[];
  readonly handled_net: readonly LandlockNetRight[];
  readonly scopes: readonly LandlockScope[];
}

/** How many of the rights, in the kernel's bit order, each ABI knows. Source: linux/landlock.h and its history. */
const ROWS: readonly { abi: number; linux: string; fs: number; net: number; scopes: number }[] = [
  { abi: 1, linux: "5.13", fs: 13, net: 0, scopes: 0 },
  { abi: 2, linux: "5.19", fs: 14, net: 0, scopes: 0 },
  { abi: 3, linux: "6.2", fs: 15, net: 0, scopes: 0 },
  { abi: 4, linux: "6.7", fs: 15, net: 2, scopes: 0 },
  { abi: 5, linux: "6.10", fs: 16, net: 2, scopes: 0 },
  { abi: 6, linux: "6.12", fs: 16, net: 2, scopes: 2 },
  { abi: 7, linux: "6.15", fs: 16, net: 2, scopes: 2 },
  { abi: 8, linux: "7.0", fs: 16, net: 2, scopes: 2 },
  { abi: 9, linux: "7.1", fs: 17, net: 2, scopes: 2 },
];

/** Below it there are no rules on TCP ports, so a network grant could not be held twice. */
export const LEAST_ABI = 4;

/** The row for a running ABI: its own, or the newest known for a newer one. Undefined below `LEAST_ABI`. */
export function landlockAbi(running: number): LandlockAbi | undefined {
  const row = ROWS.findLast(({ abi }) => abi <= running);
  if (row === undefined || row.abi < LEAST_ABI) return undefined;
  return {
    abi: row.abi,
    handled_fs: LANDLOCK_FS_RIGHTS.slice(0, row.fs),
    handled_net: LANDLOCK_NET_RIGHTS.slice(0, row.net),
    scopes: LANDLOCK_SCOPES.slice(0, row.scopes),
  };
}
