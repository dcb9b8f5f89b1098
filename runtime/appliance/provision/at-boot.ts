import { errorText } from "../../base/error-text.js";
import { formatProblem } from "../../catalog/file-problem.js";
import {
  appliedText,
  holdsSecrets,
  type ReadProvision,
  readNetworkConfig,
  readProvision,
} from "../../catalog/provision.js";
import { ProvisionFile, type ProvisionOutcome } from "../../protocol/provision-file.js";
import { isLive } from "../disk/live-medium.js";
import { textIfThere } from "../if-there.js";
import type { VerbContext } from "../verb.js";
import { writeFileWhole } from "../write-file.js";
import { applyProvision } from "./apply.js";
import { beginApplying, endApplying, isApplying } from "./applying.js";
import { installAsTold, installedBefore } from "./install-as-told.js";
import { isSetUp } from "./is-set-up.js";
import { misfits } from "./misfits.js";
import { askedAgain } from "./read-url.js";
import { dropSeed, findSource, type ProvisionSource } from "./sources.js";

export const OUTCOME_FILE = "/run/aaos/provision.json";

/**
 * Provisioning at the first boot, and only then: a machine that has been set up, by a file or by somebody at its console, keeps what it
 * was given, whatever is plugged in later. What a power cut left half done is done again, whole. Never throws for what a file or a source
 * does; the outcome is kept for the console, `doctor` and `system status`.
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
  const { at } = context.machine;
  if (isSetUp(at)) return { state: "done_before", ...none, notes: await clearUp(context) };
  const patient = askedAgain(request);
  const found = await findSource(context, patient);
  if (found === undefined) return { state: "none", ...none };
  if (!found.ok) return refused(found.name, [found.problem]);
  const { source } = found;
  const read = readSource(source);
  if (!read.ok) return refused(source.name, read.problems);
  try {
    const came = await carriedOut(read, context, patient);
    // The medium of an installation that was cut off before this has its secrets still.
    const isDone =
      came.state === "done_before" ? holdsSecrets(read.file) : came.state !== "refused";
    const left = isDone ? await source.wipe(appliedText(read.file)) : undefined;
    if (came.state === "applied") endApplying(at);
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
  beginApplying(context.machine.at);
  await applyProvision(file, context, request);
  return { state: "applied", problems: [], notes: [] };
}

/** What is left to do on a machine that is past its first boot; says what could not be done. */
async function clearUp(context: VerbContext): Promise<string[]> {
  const { machine } = context;
  const ofSource = isApplying(machine.at) ? await wipeApplied(context) : undefined;
  // What the installer left and was refused is nobody's any more, and its secrets would stay.
  const ofSeed = dropSeed(machine);
  endApplying(machine.at);
  return [ofSource, ofSeed].filter((note) => note !== undefined);
}

/** Where the file was applied and its source not rid of its secrets any more; any other source is left alone. Nobody is asked for a URL. */
async function wipeApplied(context: VerbContext): Promise<string | undefined> {
  const found = await findSource(context, () => Promise.reject(new Error("not asked")));
  if (found?.ok !== true) return undefined;
  const read = readSource(found.source);
  if (!read.ok) return undefined;
  const clean = appliedText(read.file);
  const applied = textIfThere(context.machine.at("/etc/aaos/aaos.yaml"));
  return clean === applied ? found.source.wipe(clean) : undefined;
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
