import { errorText } from "../base/error-text.js";
import type { Ceiling } from "../policy/ceiling.js";
import { decide, decideAddress, type HeldToken, isNamedHost } from "../policy/decide.js";
import { formatCapability } from "../policy/grammar.js";
import type { AccessOf } from "../protocol/access.js";
import type { Capability } from "../protocol/capability.js";
import type { CompileRequest } from "../protocol/compile.js";
import type { EventBody, EventBodyOf } from "../protocol/event.js";
import type { AgentId } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";
import type { ConfinedAgent, RevokedToken } from "../sandbox/confined-agent.js";
import type { EgressEvent } from "../sandbox/egress/types.js";
import type { Recorder } from "./record.js";
import type { AgentHome } from "./run-context.js";
import { tokenText } from "./token-ledger.js";

/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

interface Subject {
  readonly id: AgentId;
  readonly ceiling: Ceiling;
  readonly record: Recorder;
  readonly home: Pick<AgentHome, "deps" | "shared">;
}

/** What confines an agent's processes, asked of the ledger at every launch and every connection: nothing of it is remembered. */
export function confinedAgent({ id, ceiling, record, home }: Subject): ConfinedAgent {
  const { deps, shared } = home;
  const { now } = deps.entropy;
  const write = (body: EventBody): void => {
    record(body).catch((thrown: unknown) => {
      deps.log("error", "an event of a confined process could not be recorded", {
        agent_id: id,
        error: errorText(thrown),
      });
    });
  };
  return {
    id,
    compile: (request) => {
      const capabilities = heldFor(request, shared.ledger.heldBy(id), ceiling, now());
      return deps.compile(request, { capabilities, ceiling });
    },
    judge: (host, port, purpose) => {
      const held = shared.ledger.heldBy(id);
      const to = { kind: "network" as const, host, port };
      // Only a new use is subject to counts; asking again, or carrying out what has been charged, is not.
      const asked = purpose === "open" ? held : held.map(unused);
      const verdict = decide<"network">(to, asked, ceiling, now());
      if (!verdict.ok) return verdict;
      if (purpose === "open") {
        for (const { token, counted } of shared.ledger.charge(verdict.charge)) {
          const used = { token_id: token.id, counted: [...counted], capability: tokenText(token) };
          write({ kind: "capability_used", ...used });
        }
      }
      const named = isNamedHost(to, held.map(unused), ceiling, now());
      return { ok: true, granted: verdict.granted, named };
    },
    judgeAddress: (to) => decideAddress(to, shared.ledger.heldBy(id).map(unused), ceiling, now()),
    report: (event) => write(egressDecided(event)),
  };
}

function unused(one: HeldToken): HeldToken {
  return { ...one, uses: [], ...(one.ancestors && { ancestors: one.ancestors.map(unused) }) };
}

/**
 * What a process is built from. A count that is used up does not withhold a capability from the file worker, every call of which
 * is judged and charged before it; from a program, whose single accesses nobody counts, it does. The program itself was judged
 * and charged just now, so that its own grant is given even where this was the last use, unless it was revoked meanwhile.
 */
function heldFor(
  request: CompileRequest,
  held: readonly HeldToken[],
  ceiling: Ceiling,
  nowMs: number,
): readonly Capability[] {
  const still = held.map(unused);
  if (request.kind !== "program" || request.purpose.kind === "file_read") {
    return still.filter((one) => isLive(one, nowMs)).map(({ token }) => token.capability);
  }
  const own = ownGrant(request);
  const proven = decide(own.access, still, ceiling, nowMs).ok ? [own.capability] : [];
  const live = held.filter((one) => isLive(one, nowMs));
  return [...live.map(({ token }) => token.capability), ...proven];
}

function isLive(one: HeldToken, nowMs: number): boolean {
  const { token, uses, revoked } = one;
  if (revoked || (token.expires_at !== null && token.expires_at <= nowMs)) return false;
  if (token.max_invocations !== null && uses.length >= token.max_invocations) return false;
  return (one.ancestors ?? []).every((ancestor) => isLive(ancestor, nowMs));
}

/** The access that a program call was granted for, and the least capability that grants it. */
function ownGrant(request: Extract<CompileRequest, { kind: "program" }>): {
  readonly access: AccessOf<"exec" | "cargo_run" | "git_commit">;
  readonly capability: Capability;
} {
  const { purpose, program, args } = request;
  if (purpose.kind === "cargo_run" || purpose.kind === "git_commit") {
    const { kind, dir } = purpose;
    return { access: { kind, dir }, capability: { kind, dir } };
  }
  return {
    access: { kind: "exec", program, args },
    capability: { kind: "exec", program, subcommands: null },
  };
}

/** The audit trail's word for a verdict of the proxy. */
function egressDecided(event: EgressEvent): EventBodyOf<"egress_decided"> {
  const { host, port, verdict, message, address } = event;
  return {
    kind: "egress_decided",
    host,
    port,
    verdict: verdict === "refused" ? "denied" : verdict,
    reason: message,
    ...(address === undefined ? {} : { address }),
  };
}

/**
 * Tells of every change of an agent's tokens, the passing of their time included, until the returned function is called. An empty
 * list means that it was given more.
 */
export function watchTokens(
  id: AgentId,
  { deps, shared }: Pick<AgentHome, "deps" | "shared">,
  changed: (revoked: readonly RevokedToken[]) => void,
): () => void {
  const tell = (tokens: readonly Token[]) => changed(tokens.map(asRevoked));
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    const now = deps.entropy.now();
    const tokens = shared.ledger.heldBy(id).map(({ token }) => token);
    const ends = tokens.flatMap(({ expires_at }) =>
      expires_at === null || expires_at <= now ? [] : [expires_at],
    );
    if (ends.length === 0) return;
    const end = Math.min(...ends);
    timer = setTimeout(
      () => {
        if (deps.entropy.now() >= end) tell(tokens.filter(({ expires_at }) => expires_at === end));
        wait();
      },
      Math.min(end - now, MAX_TIMER_MS),
    );
    timer.unref();
  };
  const unwatch = shared.ledger.watch(id, (revoked) => {
    tell(revoked);
    wait();
  });
  wait();
  return () => {
    clearTimeout(timer);
    unwatch();
  };
}

function asRevoked({ capability }: Token): RevokedToken {
  return { kind: capability.kind, capability: formatCapability(capability) };
}
