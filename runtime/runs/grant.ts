import { assertNever } from "../base/assert-never.js";
import { decide } from "../policy/decide.js";
import { formatCapability } from "../policy/grammar.js";
import type { Access, AccessKind, AccessOf } from "../protocol/access.js";
import type { TokenId } from "../protocol/ids.js";
import { plainPath, resolvePath } from "../sandbox/resolve-path.js";
import type { GrantResult, ToolContext } from "../tools/tool.js";
import type { LiveAgent } from "./run-context.js";
import type { TokenLedger } from "./token-ledger.js";

/**
 * The question a tool asks before it acts. A path is judged twice: as it was written
 * (`/data/`, `/data/./x` and `/data//x` mean what they say), so that nothing outside the tokens is even
 * looked at, and as it resolves, so that a link inside a grant does not lead out of it. The use is counted before the effect.
 */
export function grantFor(
  agent: LiveAgent,
  deps: { readonly ledger: TokenLedger; readonly now: () => number },
): ToolContext["grant"] {
  return async <K extends AccessKind>(access: AccessOf<K>): Promise<GrantResult<K>> => {
    const ask = (wanted: AccessOf<K>) =>
      decide<K>(wanted, deps.ledger.heldBy(agent.id), agent.ceiling, deps.now());
    const written = await mapPath(access, plainPath);
    const asWritten = ask(written);
    if (!asWritten.ok) return { ok: false, denial: asWritten.denial };
    const resolved = await mapPath(written, resolvePath);
    // Asked again even where nothing changed: tokens may have been used up or revoked while the path was resolved.
    const verdict = ask(resolved);
    if (!verdict.ok) return { ok: false, denial: verdict.denial };
    await chargeTokens(agent, deps.ledger, verdict.charge);
    return { ok: true, granted: verdict.granted };
  };
}

/** Count the use, and have the count of a limited token in the journal before the effect. */
export async function chargeTokens(
  agent: LiveAgent,
  ledger: TokenLedger,
  tokens: readonly TokenId[],
): Promise<void> {
  const limited = ledger.charge(tokens);
  await agent.record(
    ...limited.map(({ token, counted }) => ({
      kind: "capability_used" as const,
      token_id: token.id,
      counted: [...counted],
      capability: formatCapability(token.capability),
    })),
  );
}

/** The access with its path, if it has one, made into another. */
async function mapPath<A extends Access>(
  access: A,
  map: (path: string) => string | Promise<string>,
): Promise<A> {
  switch (access.kind) {
    case "file_read":
    case "file_write":
      return { ...access, path: await map(access.path) };
    case "cargo_run":
    case "git_commit":
      return { ...access, dir: await map(access.dir) };
    case "exec":
    case "network":
    case "tool":
    case "spawn_child":
    case "message_send":
      return access;
    default:
      return assertNever(access);
  }
}
