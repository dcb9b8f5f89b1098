import { isIPv6 } from "node:net";
import { isCancel, log, note, outro, password, select, text } from "@clack/prompts";
import { changeAccounts } from "../../appliance/change-accounts.js";
import { openMachine } from "../../appliance/machine.js";
import { applyProvision, setKeys } from "../../appliance/provision/apply.js";
import { endApplying } from "../../appliance/provision/applying.js";
import { keysAt } from "../../appliance/provision/fetch-keys.js";
import { machineStatus } from "../../appliance/status/machine-status.js";
import type { VerbContext } from "../../appliance/verb.js";
import { configureProvider } from "../../appliance/verbs/configure-provider.js";
import { errorText } from "../../base/error-text.js";
import { HostName, OPERATOR, ProvisionFile, ProvisionUser } from "../../protocol/provision-file.js";
import { ProviderSelection } from "../../protocol/system-verbs.js";
import { askProvider, promptStreams } from "../ask-provider.js";
import type { Command } from "../command.js";

type Streams = ReturnType<typeof promptStreams>;

/** What is asked for: all of it; a key or a password alone, for who has lost theirs; all the rest, for who is in. */
export type SetUpPart = "all" | "access" | "machine";

/**
 * The dialog of the first boot. Each answer is carried out at once, so that it can be left at any question and come back to; what is
 * wrong is told and asked again. True where it came to its end.
 */
export async function setUp(command: Command, part: SetUpPart): Promise<boolean> {
  const streams = promptStreams(command);
  const { places, signal } = command;
  const machine = places.root === "/" ? openMachine() : openMachine(places.root, []);
  const context: VerbContext = { machine, signal, progress: () => {} };
  const steps = [
    // First, for a list of keys comes over it.
    ...(part === "access" ? [] : [network]),
    ...(part === "machine" ? [] : [access]),
    ...(part === "access" ? [] : [hostName, timeZone, provider]),
  ];
  note(
    "Esc or Ctrl-C leaves; what was answered by then holds.",
    "Setting this machine up",
    streams,
  );
  for (const step of steps) {
    if (!(await untilDone(() => step(streams, context, command), streams))) return false;
    // From here on it is this person's machine: a file that was applied in part is not begun again.
    if (step !== network) endApplying(machine.at);
  }
  outro("Done.", streams);
  return true;
}

/** Asks again where it failed, and says why. False where the dialog was left. */
async function untilDone(step: () => Promise<boolean>, streams: Streams): Promise<boolean> {
  for (;;) {
    try {
      return await step();
    } catch (thrown) {
      log.error(errorText(thrown), streams);
    }
  }
}

async function access(streams: Streams, context: VerbContext): Promise<boolean> {
  const how = await select({
    ...streams,
    message: `How will you log in as ${OPERATOR}?`,
    options: [
      { value: "url", label: "SSH keys of an address", hint: "https://github.com/NAME.keys" },
      { value: "key", label: "One SSH key, typed or pasted" },
      { value: "password", label: "A password, for this console alone" },
    ],
  });
  if (isCancel(how)) return false;
  if (how === "password") return setPassword(streams, context);
  const given = await text({
    ...streams,
    message: how === "url" ? "The address" : "The public key",
    placeholder: how === "url" ? "https://github.com/NAME.keys" : "ssh-ed25519 AAAA…",
  });
  if (isCancel(given)) return false;
  const keys =
    how === "url"
      ? await keysAt(given.trim(), fetch, context.signal)
      : ProvisionUser.shape.ssh_keys.parse([given.trim()]);
  setKeys(OPERATOR, keys, context.machine);
  log.success(
    `${keys.length} ${keys.length === 1 ? "key" : "keys"} may log in as ${OPERATOR}.`,
    streams,
  );
  return true;
}

async function setPassword(streams: Streams, { machine, signal }: VerbContext): Promise<boolean> {
  const chosen = await password({
    ...streams,
    message: "The password",
    validate: (value) => ((value ?? "").length < 8 ? "At least eight characters." : undefined),
  });
  if (isCancel(chosen)) return false;
  const again = await password({ ...streams, message: "Once more" });
  if (isCancel(again)) return false;
  if (again !== chosen) throw new Error("the two were not the same");
  await changeAccounts(machine, "chpasswd", [], { stdin: `${OPERATOR}:${chosen}\n`, signal });
  return true;
}

async function hostName(
  streams: Streams,
  context: VerbContext,
  { places }: Command,
): Promise<boolean> {
  const name = await text({
    ...streams,
    message: "The machine's name",
    initialValue: machineStatus(places).host,
    validate: (value) =>
      HostName.safeParse(value).success ? undefined : "Letters, digits and hyphens.",
  });
  if (isCancel(name)) return false;
  await apply({ hostname: name }, context);
  return true;
}

async function timeZone(streams: Streams, context: VerbContext): Promise<boolean> {
  const zone = await text({ ...streams, message: "The time zone", initialValue: "Etc/UTC" });
  if (isCancel(zone)) return false;
  if (zone.trim() !== "Etc/UTC") await apply({ timezone: zone.trim() }, context);
  return true;
}

/** Asked only where no card has an address. */
async function network(
  streams: Streams,
  context: VerbContext,
  { places }: Command,
): Promise<boolean> {
  const { network: cards } = machineStatus(places);
  const [card] = cards;
  if (card === undefined || cards.some(({ addresses }) => addresses.length > 0)) return true;
  const address = await text({
    ...streams,
    message: `No address came by DHCP. One for ${card.name}`,
    placeholder: "192.0.2.10/24, or empty to wait",
  });
  if (isCancel(address)) return false;
  if (address.trim() === "") return true;
  const gateway = await text({ ...streams, message: "Its gateway", placeholder: "192.0.2.1" });
  if (isCancel(gateway)) return false;
  const server = await text({ ...streams, message: "A name server", placeholder: "192.0.2.53" });
  if (isCancel(server)) return false;
  const ethernet = {
    addresses: [address.trim()],
    [isIPv6(gateway.trim()) ? "gateway6" : "gateway4"]: gateway.trim(),
    nameservers: { addresses: [server.trim()] },
  };
  await apply({ network: { ethernets: { [card.name]: ethernet } } }, context);
  return true;
}

async function provider(
  streams: Streams,
  context: VerbContext,
  command: Command,
): Promise<boolean> {
  const chosen = await askProvider(command);
  if (chosen === undefined) return false;
  const selection = ProviderSelection.parse(JSON.parse(JSON.stringify(chosen)));
  const { daemon } = await configureProvider(selection, context);
  if (daemon.state === "not_told") log.warn(daemon.how, streams);
  return true;
}

/** One answer, checked as the same field of aaos.yaml is, and carried out by the same code; the file itself is not kept. */
async function apply(
  fields: Readonly<Record<string, unknown>>,
  context: VerbContext,
): Promise<void> {
  const file = ProvisionFile.parse(fields);
  await applyProvision(file, context, fetch, { keep: false });
}
