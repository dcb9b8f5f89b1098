import type { Frame } from "../protocol/control.js";

export type EndFrame = Extract<Frame, { kind: "end" }>;

/** One way to show a run while it is carried out. */
export interface RunView {
  readonly show: (frame: Frame) => void;
  /** Lets go of the terminal for a question, and takes it up again. */
  readonly suspend: () => void;
  readonly resume: () => void;
  /** Leaves the terminal as it was found. Nothing is shown after it. */
  readonly close: () => void;
}
