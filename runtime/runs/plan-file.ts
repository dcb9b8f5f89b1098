import { promises as fs } from "node:fs";
import { join } from "node:path";
import { type Entropy, ulid } from "../base/ulid.js";
import type { Plan } from "../protocol/plan.js";
import { diskError } from "./failure.js";

/**
 * Puts the plan beside the run's files as `plan.json`. The run's agents write into the same directory: whatever lies there under
 * that name, a link too, is replaced and never followed.
 */
export async function savePlan(dir: string, plan: Plan, entropy: Entropy): Promise<void> {
  const file = join(dir, "plan.json");
  const fresh = join(dir, `.plan-${ulid(entropy)}.json`);
  try {
    await fs.writeFile(fresh, `${JSON.stringify(plan, null, 2)}\n`, { flag: "wx", mode: 0o640 });
    await fs.rename(fresh, file);
  } catch (thrown) {
    await fs.rm(fresh, { force: true });
    throw diskError("save plan", `cannot write ${file}`, thrown);
  }
}
