/** How often a run was taken up again, and why it is paused. */
export const RECOVERIES = {
  version: 4,
  breaking: false,
  sql: `
ALTER TABLE runs ADD COLUMN recoveries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN paused TEXT;
`,
} as const;
