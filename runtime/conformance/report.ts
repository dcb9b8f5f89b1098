import { ATTEMPT_GROUPS } from "./all-attempts.js";
import { type Attempt, type AttemptGroup, GROUPS, LAYERS } from "./attempt.js";
import { ELSEWHERE } from "./elsewhere.js";
import { BEHIND, catchingLayers, isAllowed, isCounted, soleLayers, type Verdict } from "./judge.js";
import type { Measured, Row } from "./result.js";
import { TOOL_ATTEMPTS } from "./tool-attempts.js";

/** `docs/conformance.md` from one run. */
export function renderReport(measured: Measured, verdict: Verdict): string {
  const rows = new Map(measured.rows.map((row) => [row.id, row]));
  const parts = [
    heading(measured, verdict),
    counts(measured, rows),
    layers(measured),
    accepted(rows),
    ...GROUPS.map((group) =>
      groupTable(
        group,
        ATTEMPT_GROUPS.filter((one) => one.group === group),
        rows,
      ),
    ),
    tools(measured),
    elsewhere(),
  ];
  return `${parts.join("\n\n")}\n`;
}

function heading(measured: Measured, verdict: Verdict): string {
  const state =
    verdict.problems.length === 0
      ? "Every answer is the one stated."
      : `**${verdict.problems.length} problems:**\n\n${verdict.problems.map((one) => `- ${one}`).join("\n")}`;
  return `# Conformance

Written by \`npm run conformance\`; not edited by hand. ${verdict.summary}. ${state}

| | |
|---|---|
| date | ${measured.date} |
| kernel | ${measured.kernel}, ${measured.arch} |
| Landlock ABI | ${measured.landlock_abi} |
| uid of the attempts | ${measured.uid} |
${Object.entries(measured.enforced)
  .map(([layer, what]) => `| in force: ${layer} | ${what === "-" ? "not there" : what} |`)
  .join("\n")}

Each attempt is one call of a static program (\`native/test/probe*.c\`) that tries one thing and tells the kernel's answer. It is made
bare, as an ordinary uid, where it must succeed unless every ordinary uid is refused; confined by the plan that the daemon compiles
from the tokens stated, where it must give exactly the answer stated; and with each layer of that plan left out, so that
a layer that catches nothing is seen.
\`nothing\`: the agent may run the probe. \`work\`: it also reads one tree, reads and writes another, and only writes a third. \`network\`:
it is also granted one host.`;
}

const NAMES: Readonly<Record<string, string>> = {
  bwrap: "bubblewrap, typical (`--ro-bind / / --unshare-all`, the writable trees bound)",
  "bwrap-tight":
    "bubblewrap, tight (nothing bound but the program and the grants, no user namespaces)",
  srt: "sandbox-runtime (library; the secret denied, the writable trees allowed)",
};

function counts(measured: Measured, rows: ReadonlyMap<string, Row>): string {
  const counted = allAttempts().filter((one) => isCounted(one) && rows.has(one.id));
  const number = (answer: (row: Row) => string | null | undefined) => {
    const answers = counted.map(({ id }) => {
      const row = rows.get(id);
      return row === undefined ? null : answer(row);
    });
    const tried = answers.filter((one) => typeof one === "string");
    return `${tried.filter(isAllowed).length} of ${tried.length}`;
  };
  const lines = [
    ["no confinement", "", number((row) => row.bare)],
    ...Object.entries(measured.others).map(([name, version]) => [
      NAMES[name] ?? name,
      version,
      version.startsWith("not run") ? "" : number((row) => row.others[name]),
    ]),
    ["**aaOS**", "", `**${number((row) => row.confined)}**`],
  ];
  const table = lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
  return `## Allowed\n\nLower is better. Twins that must work are not counted, nor what must be ended from outside.\n
| sandbox | version | allowed |\n|---|---|---|\n${table}`;
}

function layers(measured: Measured): string {
  const lines = LAYERS.map((layer) => {
    const changed = measured.rows.filter((row) => catchingLayers(row).includes(layer)).length;
    const sole = measured.rows.filter(
      (row) => soleLayers(row).includes(layer) && !isAllowed(row.confined),
    );
    const examples = sole.slice(0, 6).map(({ id }) => id);
    const behind = BEHIND[layer];
    if (changed === 0 && behind !== undefined) return `| ${layer} | 0 | 0 | ${behind} |`;
    return `| ${layer} | ${changed} | ${sole.length} | ${examples.join(" ")}${sole.length > 6 ? " …" : ""} |`;
  });
  return `## Layers\n
| layer | attempts that get another answer without it | attempts that are allowed without it | such as |\n|---|---|---|---|\n${lines.join("\n")}`;
}

function accepted(rows: ReadonlyMap<string, Row>): string {
  const lines = allAttempts()
    .filter((one) => one.accepted !== undefined && rows.has(one.id))
    .map((one): Pick<Attempt, "id" | "title" | "accepted"> => one)
    .concat(TOOL_ATTEMPTS.filter((one) => one.accepted !== undefined))
    .map((one) => `| ${one.id} | ${one.title} | ${one.accepted} |`);
  return `## Accepted\n\nAllowed, and why it stays so.\n\n| id | attempt | reason |\n|---|---|---|\n${lines.join("\n")}`;
}

function groupTable(
  group: string,
  groups: readonly AttemptGroup[],
  rows: ReadonlyMap<string, Row>,
): string {
  const lines = groups.flatMap(({ attempts }) =>
    attempts.flatMap((attempt) => {
      const row = rows.get(attempt.id);
      return row === undefined ? [] : [line(attempt, row)];
    }),
  );
  const title = `${group.slice(0, 1).toUpperCase()}${group.slice(1)}`;
  return `## ${title}\n
| id | attempt | tokens | bare | aaOS | another answer without | allowed without | bwrap | tight | srt |\n|---|---|---|---|---|---|---|---|---|---|\n${lines.join("\n")}`;
}

function line(attempt: Attempt, row: Row): string {
  const isTwin = attempt.control === true;
  const caught = catchingLayers(row).join(", ");
  const other = (name: string) => {
    const answer = row.others[name];
    return answer === undefined ? "" : isAllowed(answer) ? "**allowed**" : answer;
  };
  const cells = [
    attempt.id,
    `${isTwin ? "(must work) " : ""}${attempt.title}`,
    attempt.tokens,
    row.bare ?? "not tried",
    isAllowed(row.confined) && !isTwin ? `**${row.confined}**` : row.confined,
    caught,
    isAllowed(row.confined) ? "" : soleLayers(row).join(", "),
    other("bwrap"),
    other("bwrap-tight"),
    other("srt"),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function tools(measured: Measured): string {
  const rows = new Map(measured.tools.map((row) => [row.id, row]));
  const lines = TOOL_ATTEMPTS.flatMap((attempt) => {
    const row = rows.get(attempt.id);
    if (row === undefined) return [];
    const title = `${attempt.control === true ? "(must work) " : ""}${attempt.title}`;
    const cells = [attempt.id, title, attempt.tool, row.bare, row.confined, row.unchecked];
    return [`| ${cells.map((cell) => (cell ?? "not tried").replaceAll("|", "\\|")).join(" | ")} |`];
  });
  const intro =
    "Each by an agent with tokens, ledger and journal of its own: `callTool`, the check of its tokens, the confined ports. The last column leaves the check out, so " +
    "that the kernel alone answers. `exit N` is how the program ended; where an attempt would leave something behind, it is looked for as well.";
  return `## Through the tools of an agent\n\n${intro}\n
| id | attempt | tool | bare | through the tool | with the check left out |\n|---|---|---|---|---|---|\n${lines.join("\n")}`;
}

function elsewhere(): string {
  const lines = ELSEWHERE.map(({ id, title, where }) => `| ${id} | ${title} | ${where} |`);
  return `## Shown elsewhere\n\nAttempts that are no single call of a program; each has a test of its own.\n
| id | attempt | test |\n|---|---|---|\n${lines.join("\n")}`;
}

function allAttempts(): readonly Attempt[] {
  return ATTEMPT_GROUPS.flatMap(({ attempts }) => attempts);
}
