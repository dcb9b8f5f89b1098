import { AgentdError } from "../protocol/agentd-error.js";
import { ERROR_CODES, type ErrorCode } from "../protocol/error-code.js";
import {
  SYSTEM_VERBS,
  SystemFrame,
  type SystemParams,
  type SystemResult,
  type SystemVerbName,
} from "../protocol/system-verbs.js";
import { connect, jsonLines } from "./client.js";

const ADMINS_ONLY = "Join the group: `sudo adduser $USER aaos-admin`, then log in again.";
const NOT_THERE =
  "Only the installed package has it: `systemctl start aaos-system.socket`; in a checkout, change the files yourself.";

/**
 * Asks the root service for one verb. `onProgress` gets each line that it says meanwhile. Throws its refusal as an `AgentdError` of
 * the same kind; `permission_denied`, `daemon_unreachable` and `connection_lost` where it cannot be asked. Leaving early does not
 * undo what it is doing.
 */
export async function askSystem<V extends SystemVerbName>(
  verb: V,
  params: SystemParams<V>,
  {
    onProgress = () => {},
    onData = async () => {},
    socketPath,
  }: {
    readonly onProgress?: (text: string) => void;
    /** Each part of a file that was asked for; the next comes when this one has been taken. */
    readonly onData?: (bytes: Buffer) => Promise<void>;
    readonly socketPath: string;
  },
): Promise<SystemResult<V>> {
  using socket = await reach(socketPath);
  socket.stream.write(`${JSON.stringify({ verb, params })}\n`);
  for await (const line of jsonLines(socket.stream)) {
    const frame = SystemFrame.safeParse(line);
    if (!frame.success) break;
    const { data } = frame;
    if (data.type === "progress") onProgress(data.text);
    else if (data.type === "data") await onData(Buffer.from(data.base64, "base64"));
    else if (data.type === "error") throw errorOf(data);
    // The schema was looked up by the same verb, which the compiler cannot follow.
    else return SYSTEM_VERBS[verb].result.parse(data.result) as SystemResult<V>;
  }
  throw new AgentdError("connection_lost", verb, "the root service ended before it answered", {
    hint: "`journalctl -u aaos-system` says what was done.",
  });
}

async function reach(path: string): ReturnType<typeof connect> {
  try {
    return await connect(path, undefined);
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    const denied = thrown.code === "permission_denied";
    const message = denied ? thrown.message : `no root service answers on ${path}`;
    throw new AgentdError(thrown.code, "ask the root service", message, {
      hint: denied ? ADMINS_ONLY : NOT_THERE,
      cause: thrown,
    });
  }
}

function errorOf({
  kind,
  op,
  message,
  hint,
}: Extract<SystemFrame, { type: "error" }>): AgentdError {
  // A kind of a newer service is none of ours: it counts as a failure of what was asked.
  const code = Object.hasOwn(ERROR_CODES, kind) ? (kind as ErrorCode) : "run_failed";
  return new AgentdError(code, op, message, { hint });
}
