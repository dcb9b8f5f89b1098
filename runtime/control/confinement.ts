import type { StoreReader } from "../store/reader.js";

/** The layers around the newest tool call of a run or agent; null where it made none. */
export function confinementInForce(
  reader: StoreReader,
  of: { readonly run_id: string } | { readonly agent_id: string },
): string[] | null {
  const [newest] = reader.events({
    ...of,
    kind: ["tool_result"],
    after_seq: 0,
    limit: 1,
    reverse: true,
  });
  if (newest === undefined || "erased" in newest || newest.kind !== "tool_result") return null;
  return newest.confinement;
}
