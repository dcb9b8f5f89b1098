import { describe, expect, it } from "vitest";
import type { Frame } from "../protocol/control.js";
import { displayWidth } from "./display-width.js";
import { drawRun } from "./draw-run.js";
import { repainter } from "./repaint.js";
import { applyFrame, EMPTY_PICTURE, type RunPicture } from "./run-picture.js";
import type { Style } from "./style.js";

const same = (text: string) => text;
const STYLE: Style = { dim: same, bold: same, good: same, bad: same, warn: same, accent: same };
const T0 = Date.parse("2026-11-23T10:00:00.000Z");

let seq = 0;
function event(seconds: number, kind: string, fields: Record<string, unknown>): Frame {
  seq += 1;
  const time = new Date(T0 + seconds * 1_000).toISOString();
  return { kind: "event", event: { seq, id: "x", time, actor: "agent", kind, ...fields } };
}

function plan(...steps: readonly (readonly [id: string, role: string, after?: string[]])[]): Frame {
  return {
    kind: "plan",
    plan: {
      steps: steps.map(([id, role, depends_on = []]) => ({ id, role, depends_on, params: {} })),
      final_output: "/output/x.md",
    } as Extract<Frame, { kind: "plan" }>["plan"],
  };
}

function pictureOf(...frames: readonly Frame[]): RunPicture {
  return frames.reduce(applyFrame, EMPTY_PICTURE);
}

function draw(picture: RunPicture, seconds: number, columns = 80, rows = 24): string[] {
  const canvas = { columns, rows, style: STYLE, now: T0 + seconds * 1_000 };
  return drawRun(picture, canvas).map(({ text }) => text.trimEnd());
}

const SUBMITTED = event(0, "run_submitted", {
  run_id: "01K00000000000000000000000",
  goal: "compare A and B",
  orchestration: "auto",
  params: {},
  owner_uid: 0,
});
const PLAN = plan(["a", "fetcher"], ["b", "fetcher"], ["w", "writer", ["a", "b"]]);
const STARTED = [
  event(1, "subtask_started", { subtask_id: "a", role: "fetcher", attempt: 1 }),
  event(1, "subtask_started", { subtask_id: "b", role: "fetcher", attempt: 1 }),
];
const done = (id: string, at: number) =>
  event(at, "step_state_changed", {
    subtask_id: id,
    move: "succeed",
    from: "running",
    to: "succeeded",
  });

describe("the live picture of a run", () => {
  it("shows each step's state, role, time, tokens and current tool", () => {
    const picture = pictureOf(
      SUBMITTED,
      PLAN,
      ...STARTED,
      event(2, "usage_reported", {
        step_id: "a",
        input_tokens: 1_200,
        output_tokens: 34,
        usd: 0.01,
        provider: "p",
        model: "m",
        latency_ms: 1,
      }),
      done("a", 3),
      event(3, "tool_invoked", {
        step_id: "b",
        tool: "web_fetch",
        call_id: "1",
        input_hash: "0",
        args_preview: '{"url":"http://b/"}',
        read_only: true,
      }),
    );
    expect(draw(picture, 4).slice(1)).toEqual([
      "  compare A and B",
      "  ✓ a  fetcher    2.0s    1.2k",
      '  ⠋ b  fetcher    3.0s          web_fetch {"url":"http://b/"}',
      "  · w  writer                   waits for b",
    ]);
    expect(draw(picture, 4)[0]).toContain("1.2k tokens · $0.0100");
  });

  it("shows why a step failed, and what needed attention", () => {
    const picture = pictureOf(
      SUBMITTED,
      PLAN,
      ...STARTED,
      event(2, "subtask_completed", {
        subtask_id: "a",
        success: false,
        outputs: [],
        usage: { input_tokens: 0, output_tokens: 0, usd: 0 },
        error: "404 \u001b[2Jgone",
      }),
      event(2, "step_state_changed", {
        subtask_id: "a",
        move: "fail",
        from: "running",
        to: "failed",
      }),
    );
    expect(draw(picture, 3)).toContain("  ✗ a  fetcher    1.0s          404 gone");
    expect(draw(picture, 3).at(-1)).toBe("  ! a: failed: 404 gone");
  });

  it("keeps what has succeeded when there is a new plan", () => {
    const picture = pictureOf(
      SUBMITTED,
      PLAN,
      ...STARTED,
      done("a", 3),
      plan(["a", "fetcher"], ["c", "fetcher"]),
    );
    expect(draw(picture, 4).slice(2)).toEqual([
      "  ✓ a  fetcher    2.0s",
      "  · c  fetcher                  ready",
    ]);
  });

  it("is never wider or higher than the terminal; running steps stay when there is no room", () => {
    const many = Array.from({ length: 40 }, (_, i) => [`步驟-${i}`, "fetcher"] as const);
    const picture = pictureOf(
      SUBMITTED,
      plan(...many),
      event(1, "subtask_started", { subtask_id: "步驟-39", role: "fetcher", attempt: 1 }),
    );
    for (const [columns, rows] of [
      [80, 10],
      [20, 5],
      [10, 3],
      [200, 60],
    ] as const) {
      const lines = draw(picture, 2, columns, rows);
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
    }
    expect(draw(picture, 2, 80, 6).join("\n")).toContain("步驟-39");
    expect(draw(picture, 2, 80, 6).at(-1)).toContain("37 more steps: 37 waiting");
  });

  it("is painted over the last one in one write, also after the terminal was made narrower", () => {
    const writes: string[] = [];
    const output = {
      columns: 40,
      write: (text: string) => {
        writes.push(text);
        return true;
      },
      on: () => {},
      off: () => {},
    };
    const repaint = repainter(output);
    const lines = [
      { text: "x".repeat(39), width: 39 },
      { text: "y", width: 1 },
    ];
    repaint(lines);
    repaint(lines);
    output.columns = 20;
    repaint(lines);
    expect(writes).toHaveLength(3);
    expect(writes[0]).not.toContain("A");
    expect(writes[1]).toContain("\r\u001b[2A");
    expect(writes[2]).toContain("\r\u001b[3A");
  });
});
