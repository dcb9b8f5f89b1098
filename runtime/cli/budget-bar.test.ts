import { expect, it } from "vitest";
import type { BudgetLine } from "../protocol/budget.js";
import { budgetBar } from "./budget-bar.js";
import type { Style } from "./style.js";

const same = (text: string) => text;
const style: Style = {
  ...{ bold: same, dim: same, accent: same, good: same, warn: same },
  bad: (text) => `!${text}!`,
};

function bar(line: Partial<BudgetLine>): string {
  const whole = {
    scope: "run",
    label: "the run",
    unit: "tokens",
    used: 0,
    reserved: 0,
    limit: 100,
  };
  return budgetBar({ ...whole, ...line } as BudgetLine, style);
}

it("a budget is a bar of what is used, what is reserved, and what is left", () => {
  expect(bar({ used: 40, reserved: 10 })).toBe("[########==----------]  40%  40 of 100 tokens");
  expect(bar({})).toBe("[--------------------]   0%  0 of 100 tokens");
  expect(bar({ unit: "usd", used: 0.5, limit: 2 })).toMatch(/25% {2}\$0\.5000 of \$2\.00$/);
  expect(bar({ unit: "seconds", used: 90, limit: 3_600 })).toMatch(/3% {2}1m30s of 1h/);
});

it("a budget that is exceeded is no wider, and is told", () => {
  expect(bar({ used: 250, reserved: 50 })).toBe("![####################]! 250%  250 of 100 tokens");
});
