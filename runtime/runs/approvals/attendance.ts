import type { RunId } from "../../protocol/ids.js";

/** Which runs have an operator before them who can be asked in place. */
export interface Attendance {
  /** Until it is disposed of. */
  readonly attend: (run: RunId) => Disposable;
  readonly isAttended: (run: RunId) => boolean;
}

export function openAttendance(): Attendance {
  const present = new Map<RunId, number>();
  return {
    attend: (run) => {
      present.set(run, (present.get(run) ?? 0) + 1);
      let isHere = true;
      return {
        [Symbol.dispose]() {
          if (!isHere) return;
          isHere = false;
          present.set(run, (present.get(run) ?? 1) - 1);
        },
      };
    },
    isAttended: (run) => (present.get(run) ?? 0) > 0,
  };
}
