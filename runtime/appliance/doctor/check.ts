import type { DoctorCheck } from "../../protocol/control-results.js";

export function good(name: string, detail: string): DoctorCheck {
  return { name, verdict: "ok", detail, remedy: null };
}

/** What works for now, or works less well than it could. */
export function poor(name: string, detail: string, remedy: string): DoctorCheck {
  return { name, verdict: "warn", detail, remedy };
}

export function bad(name: string, detail: string, remedy: string): DoctorCheck {
  return { name, verdict: "fail", detail, remedy };
}
