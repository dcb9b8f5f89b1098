import { textIfThere } from "../if-there.js";

export interface Mounted {
  readonly device: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** What is mounted at a place, the topmost; undefined where nothing is. */
export function mountedAt(at: (path: string) => string, place: string): Mounted | undefined {
  const mount = (textIfThere(at("/proc/mounts")) ?? "")
    .split("\n")
    .map((line) => line.split(" "))
    .findLast(([, point]) => point === place);
  if (mount === undefined) return undefined;
  const [device = "", , type = "", options = ""] = mount;
  return { device, type, options: options.split(",") };
}
