import type { MachineStatus } from "../../appliance/status/machine-status.js";
import { formatDuration } from "../../base/duration.js";
import { OPERATOR } from "../../protocol/provision-file.js";
import { plainText } from "../plain-text.js";

/** What the daemon says of itself; null where it does not answer. */
export interface DaemonGlimpse {
  readonly provider: string;
}

/** What the screen is drawn from. */
export interface ScreenState {
  readonly machine: MachineStatus;
  readonly daemon: DaemonGlimpse | null;
  /** What is missing or wrong, a line each. */
  readonly troubles: readonly string[];
  /** Whether somebody can come in: a key, a password, or a file that provisioned the machine. */
  readonly isSetUp: boolean;
  /** Whether the boot asked for the entry of those who have lost their access. */
  readonly mayRecover: boolean;
}

/** The screen's lines, plain text, at most `columns` (20 or more) wide. Nothing in it changes by itself but what has changed. Pure. */
export function screenLines(state: ScreenState, columns: number): readonly string[] {
  const { machine, daemon, troubles, isSetUp, mayRecover } = state;
  const lines = [
    `${machine.product} ${machine.version}   ${machine.host}   ${machine.booted_from}`,
    "",
    ...networkLines(machine),
    `Host key   ${machine.host_key ?? "is being made"}`,
    "",
    `agentd     ${daemon === null ? "does not answer yet" : "runs"}`,
    `Provider   ${providerText(daemon)}`,
    `Selftest   ${selftestText(machine.selftest)}`,
    ...provisionLines(machine.provisioning),
    ...troubles.map((trouble) => `! ${trouble}`),
    "",
    ...nextSteps(state),
    "",
    `Enter logs in   l shows the log${isSetUp ? "" : "   s sets this machine up"}${mayRecover ? "   r gives access back" : ""}${machine.booted_from === "live" ? "   i installs to a disk" : ""}`,
  ];
  return lines.flatMap((line) => wrapped(plainText(line), columns));
}

/** Broken at its last space within the width; what follows is set in. */
function wrapped(line: string, columns: number): readonly string[] {
  if (line.length <= columns) return [line];
  const space = line.lastIndexOf(" ", columns);
  const at = line.slice(0, space).trim() === "" ? columns : space;
  return [line.slice(0, at), ...wrapped(`  ${line.slice(at).trimStart()}`, columns)];
}

function networkLines({ network }: MachineStatus): readonly string[] {
  if (network.length === 0)
    return ["Network    no card was found: look at the cable's other end, and at the driver"];
  return network.map(
    ({ name, mac, addresses }) =>
      `${name.padEnd(10)} ${mac}   ${addresses.length === 0 ? "no address yet (cable? DHCP?)" : addresses.join("   ")}`,
  );
}

function providerText(daemon: DaemonGlimpse | null): string {
  if (daemon === null) return "is told by agentd";
  return daemon.provider === "builtin"
    ? "none: the builtin rules carry goals out"
    : daemon.provider;
}

function selftestText(selftest: MachineStatus["selftest"]): string {
  if (selftest === null) return "not done yet";
  return `${selftest.ok ? "passed" : "FAILED: see agentd doctor"}, in ${formatDuration(selftest.elapsed_ms)}`;
}

function provisionLines(outcome: MachineStatus["provisioning"]): readonly string[] {
  if (outcome?.state === "applied") return [`Set up     from ${outcome.source ?? "a file"}`];
  if (outcome?.state !== "refused") return [];
  return [
    `The file for this machine was refused (${outcome.source ?? "?"}):`,
    ...outcome.problems.slice(0, 4).map((problem) => `  ${problem}`),
  ];
}

function nextSteps({ machine, daemon, isSetUp }: ScreenState): readonly string[] {
  const address = machine.network.flatMap(({ addresses }) => addresses)[0];
  if (!isSetUp)
    return ["Nobody can log in yet. Press s: with a password or an SSH key it is yours."];
  if (address === undefined)
    return [
      "There is no network yet: check the cable, or set an address with `sudo agentd configure` after a login.",
    ];
  const first = `From another machine:  ssh ${OPERATOR}@${address}`;
  if (daemon?.provider === "builtin")
    return [first, "Then:                  sudo agentd configure"];
  return [first, 'Then:                  agentd submit "GOAL"'];
}
