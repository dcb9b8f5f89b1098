import { describe, expect, it } from "vitest";
import { findShare, places } from "./places.js";

describe("places", () => {
  it("are those of the contract when nothing is said", () => {
    const at = places();
    expect(at.socketPath).toBe("/run/agentd/agentd.sock");
    expect(at.databaseFile).toBe("/var/lib/aaos/aaos.db");
    expect(at.policyFile).toBe("/etc/aaos/policy.yaml");
    expect(at.vendorRolesDir).toBe("/usr/share/aaos/roles");
  });

  it("lie under the root, the vendor catalog and an explicit socket aside", () => {
    const at = places({ root: "/tmp/x", share: "/srv/share", socket: "/tmp/s.sock" });
    expect(at.operatorRolesDir).toBe("/tmp/x/etc/aaos/roles");
    expect(at.workspaceDir).toBe("/tmp/x/var/lib/aaos/workspace");
    expect(at.runtimeDir).toBe("/tmp/x/run/agentd");
    expect(at.vendorRolesDir).toBe("/srv/share/roles");
    expect(at.socketPath).toBe("/tmp/s.sock");
  });

  it("find a checkout's own catalog, which AAOS_SHARE overrides", () => {
    const checkout = (path: string) => path === "/src/aaos/packaging/roles";
    expect(findShare(undefined, "/src/aaos/dist", checkout)).toBe("/src/aaos/packaging");
    expect(findShare("/opt/share", "/src/aaos/dist", checkout)).toBe("/opt/share");
    expect(findShare(undefined, "/usr/lib/aaos", checkout)).toBe("/usr/share/aaos");
  });
});
