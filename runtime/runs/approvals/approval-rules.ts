import type { OfferDenials } from "../../protocol/approval.js";
import type { Role } from "../../protocol/role.js";
import type { Settings } from "../../protocol/settings.js";

/** What of an agent's calls an operator decides. A child is bound by its parent's rules and its own. */
export interface ApprovalRules {
  /** Tools whose every call waits for an operator. */
  readonly required: ReadonlySet<string>;
  readonly offerDenials: OfferDenials;
}

/** The rules of a role's agents, or of a manifest's. */
export function approvalRules(
  role: Pick<Role, "approval_required"> & Partial<Pick<Role, "offer_denials">>,
  { approvals }: Settings,
): ApprovalRules {
  return {
    required: new Set(role.approval_required),
    offerDenials: role.offer_denials ?? approvals.offer_denials,
  };
}
