import { errorText } from "../../base/error-text.js";
import { formatProblem } from "../../catalog/file-problem.js";
import {
  appliedText,
  type ReadProvision,
  readNetworkConfig,
  readProvision,
} from "../../catalog/provision.js";
import { ProvisionFile, type ProvisionOutcome } from "../../protocol/provision-file.js";
import { isLive } from "../disk/live-medium.js";
import type { VerbContext } from "../verb.js";
import { writeFileWhole } from "../write-file.js";
import { applyProvision } from "./apply.js";
import { installAsTold, installedBefore } from "./install-as-told.js";
import { isSetUp } from "./is-set-up.js";
import { misfits } from "./misfits.js";
import { askedAgain } from "./read-url.js";
import { dropSeed, findSource, type ProvisionSource } from "./sources.js";

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
  if (isSetUp(context.machine.at)) {
    // What the installer left and was refused is nobody's any more, and its secrets would stay.
    const left = dropSeed(context.machine);
    return { state: "done_before", ...none, notes: left === undefined ? [] : [left] };
  }
  const patient = askedAgain(request);
  const found = await findSource(context, patient);
  if (found === undefined) return { state: "none", ...none };
  if (!found.ok) return refused(found.name, [found.problem]);
  const { source } = found;
  const read = readSource(source);
  if (!read.ok) return refused(source.name, read.problems);
  try {
    const came = await carriedOut(read, context, patient);
    const isDone = came.state === "applied" || came.state === "installed";
    const left = isDone ? await source.wipe(appliedText(read.file)) : undefined;
    const notes = [...read.notes, ...came.notes, ...(left === undefined ? [] : [left])];
    return { ...came, source: source.name, notes };
  } catch (thrown) {
    return refused(source.name, [errorText(thrown)]);
  }
}

/** An installation, where the file tells one and this is the live system; else the file is applied to this machine. */
async function carriedOut(
  { file, problemAt }: ReadOk,
  context: VerbContext,
  request: typeof fetch,
): Promise<Omit<ProvisionOutcome, "source">> {
  const install = isLive(context.machine) ? file.install : undefined;
  const before = install && (await installedBefore(file, install, context));
  if (before !== undefined) return { state: "done_before", problems: [], notes: [before] };
  const unfit = misfits(file, context.machine).map((misfit) => formatProblem(problemAt(misfit)));
  if (unfit.length > 0) return { state: "refused", problems: unfit, notes: [] };
  if (install !== undefined) return installAsTold(file, install, context);
  await applyProvision(file, context, request);
  return { state: "applied", problems: [], notes: [] };
}

function refused(source: string, problems: readonly string[]): ProvisionOutcome {
  return { state: "refused", source, problems: [...problems], notes: [] };
}

type ReadOk = Extract<ReadProvision, { ok: true }>;
type Read = ReadOk | { readonly ok: false; readonly problems: readonly string[] };

/** The file, and beside a user-data its network-config. */
function readSource({ name, text, network }: ProvisionSource): Read {
  const read = readProvision(text, name);
  if (!read.ok) return { ok: false, problems: read.problems.map(formatProblem) };
  if (network === undefined || read.file.network !== undefined) return read;
  const beside = readNetworkConfig(network, `network-config beside ${name}`);
  if (!beside.ok) return { ok: false, problems: beside.problems.map(formatProblem) };
  return { ...read, file: ProvisionFile.parse({ ...read.file, network: beside.network }) };
}
