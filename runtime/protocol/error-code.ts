/** What the process that asked ends with. Contract: 1 the run or check failed, 2 usage, 3 daemon unreachable, 4 operator abort. */
export type ExitCode = 0 | 1 | 2 | 3 | 4;

interface ErrorClass {
  readonly exit: ExitCode;
  /** What to do next; shown when the thrower knows nothing more exact. */
  readonly hint: string;
}

/**
 * The one catalogue of errors. The key is the stable `data.kind` of a JSON-RPC error and the `code` of an `AgentdError`;
 * `docs/errors.md` says the same, held equal by a test.
 */
export const ERROR_CODES = {
  usage: { exit: 2, hint: "See `agentd --help`." },
  invalid_request: { exit: 2, hint: "Compare the request with docs/protocol.md." },
  method_not_found: {
    exit: 2,
    hint: "The method is unknown to this daemon; compare the versions of client and daemon.",
  },
  request_too_large: {
    exit: 2,
    hint: "A request line is at most 1 MiB; pass large input as a file.",
  },
  invalid_file: {
    exit: 2,
    hint: "Correct the file at the line named, then `agentd roles validate FILE` or `agentd doctor`.",
  },
  invalid_plan: {
    exit: 1,
    hint: "The model's plan broke the rules; submit again, or name a role with --role.",
  },
  invalid_capability: { exit: 2, hint: "See aaos-capabilities(7) for the grammar." },
  unknown_id: { exit: 2, hint: "`agentd list --all` shows every run and agent." },
  ambiguous_id: { exit: 2, hint: "Give more characters of the id." },
  unknown_role: {
    exit: 2,
    hint: "`agentd roles list` shows the roles; `agentd doctor` tells which are disabled and why.",
  },
  unknown_manifest: {
    exit: 2,
    hint: "`agentd manifests list` shows the manifests; `agentd doctor` tells which are disabled and why.",
  },
  unknown_skill: {
    exit: 2,
    hint: "`agentd skills list` shows the skills, and which disabled themselves and why.",
  },
  invalid_params: { exit: 2, hint: "`agentd roles show NAME` lists the role's parameters." },
  goal_not_understood: {
    exit: 1,
    hint: "Configure a model with `agentd configure`, or name the URLs, files and output in the goal.",
  },
  daemon_unreachable: {
    exit: 3,
    hint: "Start it with `systemctl start agentd`, or `agentd run`; `journalctl -u agentd` tells why it ended.",
  },
  connection_lost: {
    exit: 3,
    hint: "The run goes on in the daemon; `agentd logs ID -f` follows it again.",
  },
  permission_denied: {
    exit: 3,
    hint: "Join the group: `sudo adduser $USER aaos`, then log in again.",
  },
  not_permitted: { exit: 1, hint: "Ask an operator in group aaos-admin." },
  denied: { exit: 1, hint: "Grant the capability in the role, or widen policy.yaml." },
  provider_refused: {
    exit: 1,
    hint: "Check the key and the model with `agentd doctor`, then `agentd configure`.",
  },
  provider_unavailable: {
    exit: 1,
    hint: "The provider did not answer; `agentd doctor` shows whether it is reachable.",
  },
  budget_exceeded: {
    exit: 1,
    hint: "Raise --max-tokens, --max-usd or --timeout, or the role's budget.",
  },
  ttl_expired: {
    exit: 1,
    hint: "Give the step more time or hops: `ttl` of the plan, `run.default_ttl_…` of agentd.yaml.",
  },
  step_failed: { exit: 1, hint: "`agentd logs ID` shows what the agent tried." },
  output_missing: {
    exit: 1,
    hint: "The step ended without its declared file; `agentd logs ID` shows why.",
  },
  run_failed: {
    exit: 1,
    hint: "`agentd status ID` shows which step failed; `agentd logs ID` shows why.",
  },
  cancelled: { exit: 1, hint: "The run was stopped; submit the goal again to start over." },
  aborted: {
    exit: 4,
    hint: "The run goes on; `agentd logs ID -f` follows it, `agentd stop ID` ends it.",
  },
  illegal_transition: {
    exit: 1,
    hint: "The run or agent is in a state that does not allow this; see `agentd status ID`.",
  },
  disk_full: { exit: 1, hint: "Free space on the volume named, then submit again." },
  schema_too_new: {
    exit: 1,
    hint: "The database was written by a newer aaOS; install that version, or restore a backup.",
  },
  store_corrupt: {
    exit: 1,
    hint: "`agentd audit verify` names the damaged rows; restore a backup.",
  },
  already_running: {
    exit: 1,
    hint: "Another agentd owns this socket or database; `systemctl status agentd`.",
  },
  audit_broken: {
    exit: 1,
    hint: "The journal was changed from outside; keep the database and tell the operator.",
  },
  unavailable: { exit: 1, hint: "`agentd doctor` tells what is missing on this host." },
  internal: {
    exit: 1,
    hint: "This is a defect of aaOS; please report it with `agentd doctor --bundle`.",
  },
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof ERROR_CODES;
