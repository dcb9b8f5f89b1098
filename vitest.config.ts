import { defineConfig } from "vitest/config";

// Tests run on the compiled program, the very files that ship: workers and subprocesses start as they do in production.
export default defineConfig({
  test: { include: ["dist/**/*.test.js"], testTimeout: 60_000, hookTimeout: 60_000, pool: "forks" },
});
