import { formatDuration } from "../base/duration.js";
import type { StepState } from "../protocol/step.js";
import { clipColumns, displayWidth, fitColumns } from "./display-width.js";
import { formatTokens, formatUsd, plural } from "./format.js";
import { plainLine } from "./plain-text.js";
import type { RunPicture, StepPicture } from "./run-picture.js";
import type { Style } from "./style.js";

const SPINNER = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const MARKS: Readonly<Record<StepState, string>> = {
  waiting: "·",
  running: "",
  succeeded: "✓",
  failed: "✗",
  skipped: "-",
  cancelled: "-",
};
const TONES: Readonly<Record<StepState, keyof Style>> = {
  waiting: "dim",
  running: "accent",
  succeeded: "good",
  failed: "bad",
  skipped: "warn",
  cancelled: "warn",
};
/** Which steps stay when there is no room for all, first to last. */
const RANK: readonly StepState[] = [
  "running",
  "failed",
  "waiting",
  "succeeded",
  "skipped",
  "cancelled",
];
const MAX_ID = 20;
const MAX_ROLE = 12;
/** Columns under which roles are left out. */
const NARROW = 60;

export interface Canvas {
  readonly columns: number;
  /** Lines that may be used. */
  readonly rows: number;
  readonly style: Style;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A line, and how wide it is without its colours. */
export interface DrawnLine {
  readonly text: string;
  readonly width: number;
}

/** The run as lines, none wider than the canvas and no more than its rows. Pure. */
export function drawRun(picture: RunPicture, canvas: Canvas): readonly DrawnLine[] {
  const head = drawHead(picture, canvas);
  const notes = picture.notes.slice(-Math.max(0, Math.min(3, canvas.rows - head.length - 4)));
  const room = Math.max(1, canvas.rows - head.length - notes.length);
  const lines = [...head, ...drawSteps(picture.steps, room, canvas)];
  for (const { step, text, tone } of notes) {
    const note = `  ! ${step === "" ? "" : `${step}: `}${text}`;
    lines.push(line([[note, tone === "none" ? "warn" : tone]], canvas));
  }
  return lines.slice(0, Math.max(1, canvas.rows));
}

type Span = readonly [text: string, tone: keyof Style | "none"];

/** Spans without control characters one after another, clipped to the canvas; what is clipped is known before it is coloured. */
function line(spans: readonly Span[], { columns, style }: Canvas): DrawnLine {
  let text = "";
  let width = 0;
  for (const [raw, tone] of spans) {
    const clipped = clipColumns(raw, columns - width);
    if (clipped === "" && raw !== "") break;
    text += tone === "none" ? clipped : style[tone](clipped);
    width += displayWidth(clipped);
  }
  return { text, width };
}

function drawHead(picture: RunPicture, canvas: Canvas): readonly DrawnLine[] {
  const { usage, startedAt, endedAt, state, runId } = picture;
  const total = usage.input_tokens + usage.output_tokens;
  const time = startedAt === null ? "" : formatDuration((endedAt ?? canvas.now) - startedAt);
  const isOver = endedAt !== null;
  const mark: Span = isOver
    ? [state === "succeeded" ? "✓" : "✗", state === "succeeded" ? "good" : "bad"]
    : [spinner(canvas.now), "accent"];
  const facts = [time, `${formatTokens(total)} tokens`, formatUsd(usage.usd)].filter(Boolean);
  return [
    line(
      [
        mark,
        [` run ${plainLine(runId ?? "…")} `, "bold"],
        [plainLine(state.replace("_", " ")), "none"],
        [` · ${facts.join(" · ")}`, "dim"],
      ],
      canvas,
    ),
    line([[`  ${plainLine(picture.goal)}`, "dim"]], canvas),
  ];
}

function drawSteps(
  steps: readonly StepPicture[],
  room: number,
  canvas: Canvas,
): readonly DrawnLine[] {
  if (steps.length <= room) return steps.map((step) => drawStep(step, steps, canvas));
  const kept = new Set(
    [...steps]
      .sort((a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state))
      .slice(0, Math.max(0, room - 1)),
  );
  const hidden = steps.filter((step) => !kept.has(step));
  const counts = RANK.flatMap((state) => {
    const count = hidden.filter((step) => step.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  return [
    ...steps.filter((step) => kept.has(step)).map((step) => drawStep(step, steps, canvas)),
    line([[`  … ${plural(hidden.length, "more step")}: ${counts.join(", ")}`, "dim"]], canvas),
  ];
}

function drawStep(step: StepPicture, all: readonly StepPicture[], canvas: Canvas): DrawnLine {
  const idWidth = Math.min(MAX_ID, Math.max(...all.map(({ id }) => displayWidth(id))));
  const roleWidth = Math.min(MAX_ROLE, Math.max(...all.map(({ role }) => displayWidth(role))));
  const tone = TONES[step.state];
  const mark = step.state === "running" ? spinner(canvas.now) : MARKS[step.state];
  return line(
    [
      [`  ${mark} `, tone],
      [`${fitColumns(plainLine(step.id), idWidth)}  `, step.state === "running" ? "bold" : "none"],
      [canvas.columns < NARROW ? "" : `${fitColumns(plainLine(step.role), roleWidth)}  `, "dim"],
      [`${elapsedText(step, canvas.now).padStart(6)}  ${tokensText(step).padStart(6)}  `, "none"],
      remark(step, all),
    ],
    canvas,
  );
}

/** What there is to say of a step beside its figures. */
function remark(step: StepPicture, all: readonly StepPicture[]): Span {
  if (step.error !== null) return [plainLine(step.error), "bad"];
  if (step.state === "running")
    return [plainLine(step.activity ?? "thinking"), step.activity === null ? "dim" : "accent"];
  if (step.state !== "waiting") return ["", "none"];
  const open = step.dependsOn.filter(
    (id) => all.find((other) => other.id === id)?.state !== "succeeded",
  );
  return [open.length === 0 ? "ready" : plainLine(`waits for ${open.join(", ")}`), "dim"];
}

function elapsedText({ startedAt, endedAt }: StepPicture, now: number): string {
  return startedAt === null ? "" : formatDuration(Math.max(0, (endedAt ?? now) - startedAt));
}

function tokensText({ usage }: StepPicture): string {
  const total = usage.input_tokens + usage.output_tokens;
  return total === 0 ? "" : formatTokens(total);
}

function spinner(now: number): string {
  return SPINNER[Math.floor(now / 100) % SPINNER.length] ?? "";
}
