import { existsSync } from "node:fs";
import { errorText } from "../../base/error-text.js";
import { type FileProblem, formatProblem } from "../../catalog/file-problem.js";
import { loadManifests } from "../../catalog/manifests.js";
import { loadRoles } from "../../catalog/roles.js";
import { readPolicy, readProviders, readSettings } from "../../catalog/settings.js";
import { loadSkills, skillDirs } from "../../catalog/skills.js";
import type { DoctorCheck } from "../../protocol/control-results.js";
import type { Places } from "../../protocol/places.js";
import { bad, good } from "./check.js";
import { provisionChecks } from "./provision-check.js";

/** The operator's files as they are on disk now; a line for every fault in them, with file and line. */
export function fileChecks(places: Places): readonly DoctorCheck[] {
  return [
    ...configFile("agentd.yaml", places.settingsFile, readSettings),
    ...configFile("providers.yaml", places.providersFile, readProviders),
    ...configFile("policy.yaml", places.policyFile, readPolicy),
    ...roleChecks(places),
    ...manifestChecks(places),
    ...provisionChecks(places),
    ...skillChecks(places),
  ];
}

/** Absent is fine: every setting has a default. */
function configFile(
  name: string,
  file: string,
  read: (file: string) => unknown,
): readonly DoctorCheck[] {
  try {
    read(file);
    return [good(name, existsSync(file) ? file : `${file} is absent: defaults are in force`)];
  } catch (thrown) {
    const remedy = "Correct the line named, then restart agentd.";
    return errorText(thrown)
      .split("\n")
      .map((line) => bad(name, line, remedy));
  }
}

function roleChecks({ vendorRolesDir, operatorRolesDir }: Places): readonly DoctorCheck[] {
  const { roles, problems } = loadRoles([
    { dir: vendorRolesDir, origin: "vendor" },
    { dir: operatorRolesDir, origin: "operator" },
  ]);
  const loaded =
    roles.size > 0
      ? good("roles", [...roles.keys()].join(", "))
      : bad(
          "roles",
          `none in ${vendorRolesDir} and ${operatorRolesDir}`,
          "Install the package again, or set AAOS_SHARE to the vendor catalog.",
        );
  return [loaded, ...problemChecks("role", problems)];
}

function manifestChecks({
  vendorManifestsDir,
  operatorManifestsDir,
}: Places): readonly DoctorCheck[] {
  const { manifests, problems } = loadManifests([
    { dir: vendorManifestsDir, origin: "vendor" },
    { dir: operatorManifestsDir, origin: "operator" },
  ]);
  const names = [...manifests.keys()];
  const detail = names.length === 0 ? "none" : names.join(", ");
  return [good("manifests", detail), ...problemChecks("manifest", problems)];
}

function skillChecks(places: Places): readonly DoctorCheck[] {
  const { skills, problems } = loadSkills(skillDirs(places));
  const detail = skills.size === 0 ? "none" : `${skills.size}: ${[...skills.keys()].join(", ")}`;
  return [good("skills", detail), ...problemChecks("skill", problems)];
}

function problemChecks(
  what: "role" | "manifest" | "skill",
  problems: readonly FileProblem[],
): readonly DoctorCheck[] {
  return problems.map((problem) =>
    bad(
      `${what} file`,
      formatProblem(problem),
      `It is disabled until it is corrected: \`agentd ${what}s validate ${problem.file}\`, then restart agentd.`,
    ),
  );
}
