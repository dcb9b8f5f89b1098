import type { Frame } from "../protocol/control.js";

export type EndFrame = Extract<Frame, { kind: "end" }>;

/** One way to show a run while it is carried out. */
export interface RunView {
  readonly show: (frame: Frame) => void;
  /** Leaves the terminal as it was found. Nothing is shown after it. */
  readonly close: () => void;
}
