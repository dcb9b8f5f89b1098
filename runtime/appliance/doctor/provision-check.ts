import { join } from "node:path";
import { readText } from "../../catalog/read-text.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import type { Places } from "../../protocol/places.js";
import { ProvisionOutcome } from "../../protocol/provision-file.js";
import { OUTCOME_FILE } from "../provision/at-boot.js";
import { bad, good, poor } from "./check.js";

/** What became of provisioning at this boot; nothing on a machine that has no such thing. */
export function provisionChecks({ root }: Pick<Places, "root">): readonly DoctorCheck[] {
  const outcome = provisionOutcome(root);
  if (outcome === undefined || outcome.state === "none" || outcome.state === "done_before")
    return [];
  const name = "provisioning";
  const source = outcome.source ?? "?";
  if (outcome.state === "refused")
    return outcome.problems.map((problem) =>
      bad(
        name,
        `refused whole: ${problem}`,
        "Correct it, `agentd provision validate FILE`, then `agentd provision apply FILE`.",
      ),
    );
  if (outcome.notes.length === 0) return [good(name, `applied, from ${source}`)];
  return outcome.notes.map((note) => poor(name, note, "See docs/operations/provisioning.md."));
}

/** As the first boot left it; undefined where there is none. */
export function provisionOutcome(root: string): ProvisionOutcome | undefined {
  const read = readText(join(root, OUTCOME_FILE));
  if (!read.ok) return undefined;
  try {
    const outcome = ProvisionOutcome.safeParse(JSON.parse(read.text));
    return outcome.success ? outcome.data : undefined;
  } catch {
    return undefined;
  }
}
