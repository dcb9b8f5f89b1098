import type { Command } from "./command.js";
import { drawRun } from "./draw-run.js";
import { repainter } from "./repaint.js";
import { applyFrame, EMPTY_PICTURE } from "./run-picture.js";
import type { RunView } from "./run-view.js";

const FRAME_MS = 100;

/** A run on a terminal: its DAG, painted in place ten times a second, and left standing when it is closed. */
export function liveView({ io, style }: Command): RunView {
  let picture = EMPTY_PICTURE;
  let closed = false;
  let repaint = repainter(io.stdout);
  const paint = () => {
    const columns = Math.max(10, (io.stdout.columns ?? 80) - 1);
    const rows = Math.max(3, (io.stdout.rows ?? 24) - 1);
    repaint(drawRun(picture, { columns, rows, style, now: Date.now() }));
  };
  let timer = setInterval(paint, FRAME_MS);
  io.stdout.on("resize", paint);
  return {
    show: (frame) => {
      picture = applyFrame(picture, frame);
    },
    suspend: () => {
      clearInterval(timer);
      paint();
    },
    resume: () => {
      // What was asked stands above: the picture is painted anew below it.
      repaint = repainter(io.stdout);
      clearInterval(timer);
      if (!closed) timer = setInterval(paint, FRAME_MS);
    },
    close: () => {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      io.stdout.off("resize", paint);
      paint();
    },
  };
}
