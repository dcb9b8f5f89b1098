import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorText } from "../base/error-text.js";
import { formatProblem } from "../catalog/file-problem.js";
import { loadRoles } from "../catalog/roles.js";
import { readPolicy, readProviders, readSettings } from "../catalog/settings.js";
import type { DoctorCheck } from "../protocol/control-results.js";
import type { Places } from "../protocol/places.js";

const PROGRAM_DIRS = ["/usr/local/bin", "/usr/bin", "/bin"];

/** What can be told of this host without a daemon: the program, the files, the programs that tools use, the kernel. */
export function hostChecks(places: Places): readonly DoctorCheck[] {
  return [
    nodeCheck(process.versions.node),
    ...fileChecks(places),
    ...catalogChecks(places),
    programCheck("rg", "the grep tool", "sudo apt install ripgrep"),
    programCheck("git", "the git_commit tool", "sudo apt install git"),
    ...kernelChecks(),
  ];
}

function ok(name: string, detail: string): DoctorCheck {
  return { name, verdict: "ok", detail, remedy: null };
}

function nodeCheck(version: string): DoctorCheck {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return ok("node", `Node ${version}`);
  const remedy = "Install Node 20.19 or newer: sudo apt install nodejs.";
  return { name: "node", verdict: "fail", detail: `Node ${version} is too old`, remedy };
}

function fileChecks({ settingsFile, providersFile, policyFile }: Places): readonly DoctorCheck[] {
  return [
    fileCheck("agentd.yaml", settingsFile, readSettings),
    fileCheck("providers.yaml", providersFile, readProviders),
    fileCheck("policy.yaml", policyFile, readPolicy),
  ];
}

/** Absent is fine: every setting has a default. */
function fileCheck(name: string, file: string, read: (file: string) => unknown): DoctorCheck {
  try {
    read(file);
    return ok(name, existsSync(file) ? file : `${file} is absent: defaults are in force`);
  } catch (thrown) {
    const remedy = "Correct the lines named, then restart the daemon.";
    return { name, verdict: "fail", detail: errorText(thrown), remedy };
  }
}

function catalogChecks({ vendorRolesDir, operatorRolesDir }: Places): readonly DoctorCheck[] {
  const { roles, problems } = loadRoles([
    { dir: vendorRolesDir, origin: "vendor" },
    { dir: operatorRolesDir, origin: "operator" },
  ]);
  const loaded: DoctorCheck =
    roles.size > 0
      ? ok("roles", `${roles.size} from ${vendorRolesDir} and ${operatorRolesDir}`)
      : {
          name: "roles",
          verdict: "fail",
          detail: `none in ${vendorRolesDir} and ${operatorRolesDir}`,
          remedy: "Install the package again, or set AAOS_SHARE to the vendor catalog.",
        };
  return [
    loaded,
    ...problems.map(
      (problem): DoctorCheck => ({
        name: "role disabled",
        verdict: "fail",
        detail: formatProblem(problem),
        remedy: "Correct the line named, then `agentd roles validate` the file.",
      }),
    ),
  ];
}

function programCheck(program: string, user: string, remedy: string): DoctorCheck {
  const found = PROGRAM_DIRS.map((dir) => join(dir, program)).find(isExecutable);
  const name = `program ${program}`;
  if (found !== undefined) return ok(name, found);
  return { name, verdict: "warn", detail: `not found: ${user} cannot work`, remedy };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What confinement will need of the kernel. */
function kernelChecks(): readonly DoctorCheck[] {
  const modules = readOr("/sys/kernel/security/lsm");
  const landlock: DoctorCheck =
    modules === undefined || modules.split(",").includes("landlock")
      ? ok("landlock", modules === undefined ? "not told by this kernel" : "enabled")
      : {
          name: "landlock",
          verdict: "warn",
          detail: "is not among the kernel's security modules",
          remedy: "Boot with lsm=landlock,… on the kernel's command line.",
        };
  const controllers = readOr("/sys/fs/cgroup/cgroup.controllers");
  const cgroup: DoctorCheck =
    controllers === undefined
      ? {
          name: "cgroup",
          verdict: "warn",
          detail: "no cgroup v2 at /sys/fs/cgroup",
          remedy: "Boot with systemd.unified_cgroup_hierarchy=1.",
        }
      : ok("cgroup", `v2: ${controllers}`);
  return [landlock, cgroup];
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
