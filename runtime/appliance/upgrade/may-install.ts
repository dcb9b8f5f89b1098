import { compareVersions } from "../../protocol/version-order.js";
import type { SlotVerdict } from "../boot/slot-records.js";
import type { Bundle } from "./bundle.js";

export interface Situation {
  readonly compatible: string;
  readonly version: string;
  /** The running slot has been proven. */
  readonly confirmed: boolean;
  readonly slotBytes: number;
  /** What the proof of a slot came to that failed last, of any version. */
  readonly failed: SlotVerdict | undefined;
  readonly allowDowngrade: boolean;
  /** Nobody asked for this very bundle: the machine upgrades by itself. */
  readonly automatic: boolean;
}

/** Why a bundle may not be installed now, with what to do; undefined where it may. Pure. */
export function whyNot(
  bundle: Bundle,
  now: Situation,
): { readonly why: string; readonly hint: string } | undefined {
  if (bundle.compatible !== now.compatible)
    return {
      why: `the bundle is for "${bundle.compatible}", this machine is "${now.compatible}"`,
      hint: "Get the bundle for this kind of machine.",
    };
  if (!now.confirmed)
    return {
      why: "the running slot has not been proven yet, and is the only one that could be fallen back to",
      hint: "Wait until `agentd system status` says that it is kept.",
    };
  const order = compareVersions(bundle.version, now.version);
  if (order < 0 && !now.allowDowngrade)
    return {
      why: `${bundle.version} is older than ${now.version}, which runs`,
      hint: "--allow-downgrade installs it all the same; `agentd system rollback` goes back to the other slot.",
    };
  if (order === 0 && !now.allowDowngrade)
    return { why: `${bundle.version} runs already`, hint: "--allow-downgrade installs it again." };
  if (bundle.sizeBytes > now.slotBytes)
    return {
      why: `the system in it has ${bundle.sizeBytes} bytes, a slot ${now.slotBytes}`,
      hint: "Install anew from the ISO on a larger disk.",
    };
  if (now.automatic && now.failed?.version === bundle.version)
    return {
      why: `${bundle.version} was left here: ${now.failed.reason}`,
      hint: "`agentd system upgrade --apply` tries it again.",
    };
  return undefined;
}
