import { describe, expect, it } from "vitest";
import { ApprovalId } from "../../protocol/approval.js";
import { PolicyFile } from "../../protocol/policy-file.js";
import type { ApprovalDetail } from "../../store/reader.js";
import { respond } from "./respond.js";

const ID = ApprovalId.parse("01JZZZZZZZZZZZZZZZZZZZZZZZ");
const PEER = { uid: 1000 };

function pending(capability: string): ApprovalDetail {
  return {
    ...{ id: ID, run_id: "R", step_id: null, agent_id: null, agent_name: null },
    ...{ subject: "capability", state: "pending", description: "", tool: "file_read", input: null },
    ...{ capability, timestamp: "", expires_at: "", settled_at: null, settled_by: null },
    ...{ scope: null, reason: null, call_id: null, requested_seq: 1 },
  };
}

/** What an operator's yes to this capability comes to. */
async function answer(capability: string, policy: object): Promise<readonly string[]> {
  const settled: string[] = [];
  const approvals = {
    settle: (_id: ApprovalId, _verdict: object, actor: string) => {
      settled.push(actor);
      return Promise.resolve();
    },
  };
  const deps = {
    reader: { approval: () => pending(capability) },
    policy: PolicyFile.parse(policy),
    neverGrantable: ["/srv/never"],
    workspaceBase: "/var/lib/aaos/workspace",
  };
  await respond(deps, approvals, ID, { granted: true, scope: "once" }, PEER);
  return settled;
}

describe("an operator's yes", () => {
  it("A13 grants what policy.yaml allows, in the operator's name", async () => {
    expect(await answer("file_read: /data/a", {})).toEqual(["uid:1000"]);
    expect(await answer("file_read: /var/lib/aaos/workspace/R/x", {})).toEqual(["uid:1000"]);
    expect(await answer("network: example.com:443", {})).toEqual(["uid:1000"]);
  });

  it.each([
    ["file_read: /home/x", {}, /read\.allow of policy\.yaml/],
    ["file_write: /etc/passwd", { write: { allow: ["/"] } }, /no agent may ever write/],
    ["file_read: /etc/aaos/policy.yaml", { read: { allow: ["/"] } }, /no agent may ever read/],
    ["file_read: /srv/never/x", { read: { allow: ["/"] } }, /no agent may ever read/],
    ["exec: bash", {}, /exec\.allow of policy\.yaml/],
    ["network: 10.0.0.1:80", {}, /network of policy\.yaml/],
  ])(
    "A13 cannot exceed policy.yaml, nor open what is never granted: %s",
    async (capability, policy, why) => {
      const refused = expect(answer(capability, policy)).rejects;
      await refused.toMatchObject({
        code: "denied",
        message: expect.stringMatching(/^an approval cannot exceed policy\.yaml: /) as string,
        hint: expect.stringContaining("Widen policy.yaml") as string,
      });
      await expect(answer(capability, policy)).rejects.toThrow(why);
    },
  );
});
