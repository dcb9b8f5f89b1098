import { errorText } from "../../base/error-text.js";
import { formatProblem } from "../../catalog/file-problem.js";
import { appliedText, readNetworkConfig, readProvision } from "../../catalog/provision.js";
import type { ProvisionFile, ProvisionOutcome } from "../../protocol/provision-file.js";
import { isLive } from "../disk/live-medium.js";
import type { Machine } from "../machine.js";
import type { VerbContext } from "../verb.js";
import { writeFileWhole } from "../write-file.js";
import { applyProvision } from "./apply.js";
import { installAsTold } from "./install-as-told.js";
import { isSetUp } from "./is-set-up.js";
import { misfits } from "./misfits.js";
import { findSource, type ProvisionSource } from "./sources.js";

export const OUTCOME_FILE = "/run/aaos/provision.json";

/**
 * Provisioning at the first boot, and only then: a machine that has been set up, by a file or by somebody at its console, keeps what it
 * was given, whatever is plugged in later. Never
 * throws for what a file or a source does; the outcome is kept for the console, `doctor` and `system status`.
 */
export async function provisionAtBoot(
  context: VerbContext,
  request: typeof fetch,
): Promise<ProvisionOutcome> {
  const outcome = await attempt(context, request);
  writeFileWhole(context.machine.at(OUTCOME_FILE), `${JSON.stringify(outcome)}\n`, { mode: 0o644 });
  return outcome;
}

async function attempt(context: VerbContext, request: typeof fetch): Promise<ProvisionOutcome> {
  const none = { source: null, problems: [], notes: [] };
  if (isSetUp(context.machine.at)) return { state: "done_before", ...none };
  const found = await findSource(context, request);
  if (found === undefined) return { state: "none", ...none };
  if (!found.ok) return refused(found.name, [found.problem]);
  const { source } = found;
  const read = readSource(source, context.machine);
  if (!read.ok) return refused(source.name, read.problems);
  try {
    const { install } = read.file;
    if (install !== undefined && isLive(context.machine))
      return { source: source.name, ...(await installAsTold(read.file, install, context)) };
    await applyProvision(read.file, context, request);
  } catch (thrown) {
    return refused(source.name, [errorText(thrown)]);
  }
  const left = await source.wipe(appliedText(read.file));
  const notes = [...read.notes, ...(left === undefined ? [] : [left])];
  return { state: "applied", source: source.name, problems: [], notes };
}

function refused(source: string, problems: readonly string[]): ProvisionOutcome {
  return { state: "refused", source, problems: [...problems], notes: [] };
}

type Read =
  | { readonly ok: true; readonly file: ProvisionFile; readonly notes: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The file, and beside a user-data its network-config. */
function readSource({ name, text, network }: ProvisionSource, machine: Machine): Read {
  const read = readProvision(text, name);
  if (!read.ok) return { ok: false, problems: read.problems.map(formatProblem) };
  const unfit = misfits(read.file, machine).map((misfit) => formatProblem(read.problemAt(misfit)));
  if (unfit.length > 0) return { ok: false, problems: unfit };
  if (network === undefined || read.file.network !== undefined) return read;
  const beside = readNetworkConfig(network, `network-config beside ${name}`);
  if (!beside.ok) return { ok: false, problems: beside.problems.map(formatProblem) };
  return { ok: true, file: { ...read.file, network: beside.network }, notes: read.notes };
}
