import { isIP, type Socket } from "node:net";
import { errnoOf, errorText } from "../../base/error-text.js";
import { authorityText } from "../../protocol/host-name.js";
import { forbiddenAddress } from "./address-guard.js";
import { type EgressContext, type Refusal, refuse } from "./context.js";
import { dial } from "./dial.js";
import { dialUpstream } from "./dial-upstream.js";
import type { Flow } from "./flow.js";
import type { Target } from "./parse-connect.js";
import type { EgressEvent, EgressReason } from "./types.js";

export interface Admitted {
  readonly ok: true;
  readonly target: Target;
  /** Connected; destroyed with the flow. */
  readonly socket: Socket;
  readonly address: string;
  readonly named: boolean;
}

type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal;
type Tell = (
  event: Pick<EgressEvent, "verdict" | "reason" | "message"> & Partial<EgressEvent>,
) => void;

/**
 * Judges a target, resolves it once, guards every address and dials one of them: the only way out of a sandbox. What stops it
 * is reported here; that it was allowed is reported by the caller, who has still to see what is said (SNI, Host).
 */
export async function admit(
  context: EgressContext,
  flow: Flow,
  target: Target,
): Promise<Admitted | Refusal> {
  const tell: Tell = (event) => {
    if (!flow.signal.aborted) context.report({ via: flow.via, ...target, ...event });
  };
  if (!context.spend("up", 0) || !context.spend("down", 0))
    return refuse(context, flow, target, "quota", "the byte quota is used up");
  const verdict = context.judge(target.host, target.port, "open");
  if (!verdict.ok) {
    const { message } = verdict.denial;
    tell({ verdict: "refused", reason: "not_granted", message, denial: verdict.denial });
    return { ok: false, reason: "not_granted", message };
  }
  flow.granted = target;
  const { named } = verdict;
  const deadline = new AbortController();
  const stop = () => deadline.abort(new Error("it did not answer in time"));
  const timer = setTimeout(stop, context.quotas.connect_ms);
  flow.signal.addEventListener("abort", stop);
  try {
    const addresses = await lookUp(context, target, named, tell, deadline.signal);
    if (!addresses.ok) return addresses;
    const dialled = await reach(context, target, addresses.value, tell, deadline.signal);
    if (!dialled.ok) return dialled;
    const { socket, address } = dialled.value;
    own(flow, socket);
    return { ok: true, target, socket, address, named };
  } finally {
    clearTimeout(timer);
    flow.signal.removeEventListener("abort", stop);
  }
}

/** That the request was let through; the one place where `allowed` is reported. */
export function reportAllowed(context: EgressContext, flow: Flow, admitted: Admitted): void {
  const { target, address } = admitted;
  const message = `${authorityText(target.host, target.port)} is granted`;
  context.report({
    via: flow.via,
    ...target,
    verdict: "allowed",
    reason: "granted",
    message,
    address,
  });
}

async function lookUp(
  context: EgressContext,
  target: Target,
  named: boolean,
  tell: Tell,
  signal: AbortSignal,
): Promise<Outcome<readonly string[]>> {
  const { host, port } = target;
  const found = await resolveOnce(context, host, signal);
  if (typeof found === "string") {
    // Behind the operator's proxy a host may well have no DNS of its own: there the proxy resolves.
    if (context.upstream !== undefined) return { ok: true, value: [] };
    const reason = signal.aborted ? "timeout" : "unresolved";
    const message = `${host} cannot be resolved: ${found}`;
    tell({ verdict: "failed", reason, message });
    return { ok: false, reason, message };
  }
  const forbidden = forbiddenAddress(found, context.ownAddresses(), named);
  if (forbidden === undefined) return judgeAddresses(context, target, found, tell);
  const { address, kind } = forbidden;
  const what = isIP(host) === 0 ? `${host} resolves to ${address}` : address;
  const message = `${what}: a ${kind.replace("_", "-")} address, which policy.yaml and the token must both name`;
  const capability = `network: ${authorityText(host, port)}`;
  const denial = { layer: "egress", message, capability } as const;
  tell({ verdict: "refused", reason: "forbidden_address", message, address, denial });
  return { ok: false, reason: "forbidden_address", message };
}

function judgeAddresses(
  context: EgressContext,
  target: Target,
  addresses: readonly string[],
  tell: Tell,
): Outcome<readonly string[]> {
  for (const address of addresses) {
    const denial = context.judgeAddress?.({ ...target, address });
    if (denial === undefined) continue;
    const { message } = denial;
    tell({ verdict: "refused", reason: "forbidden_address", message, address, denial });
    return { ok: false, reason: "forbidden_address", message };
  }
  return { ok: true, value: addresses };
}

async function resolveOnce(
  context: EgressContext,
  host: string,
  signal: AbortSignal,
): Promise<readonly string[] | string> {
  if (isIP(host) !== 0) return [host];
  try {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("no answer in time")));
    });
    const found = await Promise.race([context.resolve(host, signal), aborted]);
    return found.length === 0 ? "it has no address" : found;
  } catch (error) {
    return errorText(error);
  }
}

async function reach(
  context: EgressContext,
  target: Target,
  addresses: readonly string[],
  tell: Tell,
  signal: AbortSignal,
): Promise<Outcome<{ readonly socket: Socket; readonly address: string }>> {
  try {
    const { upstream } = context;
    if (upstream === undefined)
      return { ok: true, value: await dial(addresses, target.port, signal) };
    const socket = await dialUpstream(upstream, target, signal);
    return { ok: true, value: { socket, address: addresses[0] ?? "" } };
  } catch (error) {
    const reason: EgressReason = signal.aborted ? "timeout" : "unreachable";
    const authority = authorityText(target.host, target.port);
    const message = `${authority} cannot be reached: ${errnoOf(error) ?? errorText(error)}`;
    tell({ verdict: "failed", reason, message });
    return { ok: false, reason, message };
  }
}

/** The upstream socket ends with the flow, and its errors with itself. */
function own(flow: Flow, socket: Socket): void {
  const end = () => socket.destroy();
  socket.on("error", end);
  socket.once("close", () => flow.signal.removeEventListener("abort", end));
  flow.signal.addEventListener("abort", end);
  if (flow.signal.aborted) end();
}
