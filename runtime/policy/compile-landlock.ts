import type { EgressListener, LandlockFsRight, LandlockPlan } from "../protocol/confinement.js";
import type { Piece } from "./compile-root.js";
import type { LandlockAbi } from "./landlock-abi.js";

/** What may be done to a granted tree. */
export interface TreeUse {
  readonly read: boolean;
  readonly write: boolean;
  /** Programs in it may be run. */
  readonly execute: boolean;
}

const READ: readonly LandlockFsRight[] = ["read_file", "read_dir"];
/** Without reading: new files and folders and appending to what is there, but no look at it, no removing, no moving. */
const DROP: readonly LandlockFsRight[] = ["write_file", "truncate", "make_reg", "make_dir"];
const CHANGE: readonly LandlockFsRight[] = ["remove_file", "remove_dir", "make_sym", "refer"];

/** The rights of a program at and below a tree. Never devices, sockets or pipes with a name. */
export function programRights({ read, write, execute }: TreeUse): readonly LandlockFsRight[] {
  return [
    ...(execute ? (["execute"] as const) : []),
    ...(read ? READ : []),
    ...(write ? DROP : []),
    ...(read && write ? CHANGE : []),
  ];
}

/** The rights of the file worker: it replaces a file by renaming, and removes nothing else. */
export function fileWorkerRights({ read, write }: TreeUse): readonly LandlockFsRight[] {
  return [...(read ? READ : []), ...(write ? ([...DROP, "remove_file"] as const) : [])];
}

/** The rules: what the pieces of the root allow, in the order of paths, and connecting to the ports of our own listeners. */
export function compileLandlock(
  abi: LandlockAbi,
  pieces: readonly Piece[],
  listeners: readonly EgressListener[],
): LandlockPlan {
  const rules = new Map<string, Set<LandlockFsRight>>();
  for (const { path, rights } of pieces) {
    const known = rights.filter((right) => abi.handled_fs.includes(right));
    if (known.length === 0) continue;
    const rule = rules.get(path) ?? new Set();
    for (const right of known) rule.add(right);
    rules.set(path, rule);
  }
  const ports = listeners.filter(({ protocol }) => protocol === "tcp").map(({ port }) => port);
  return {
    abi: abi.abi,
    handled_fs: [...abi.handled_fs],
    handled_net: [...abi.handled_net],
    scopes: [...abi.scopes],
    fs_rules: [...rules.keys()].sort().map((path) => ({
      path,
      rights: abi.handled_fs.filter((right) => rules.get(path)?.has(right) === true),
    })),
    net_rules: [...new Set(ports)]
      .sort((a, b) => a - b)
      .map((port) => ({ port, rights: ["connect_tcp"] })),
  };
}
