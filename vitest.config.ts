import { defineConfig } from "vitest/config";

// Tests run on the compiled program, the very files that ship: workers and subprocesses start as they do in production.
// The conformance suite is a command of its own, `npm run conformance`: it takes longer than all of these together.
export default defineConfig({
  test: {
    include: ["dist/**/*.test.js"],
    exclude: ["dist/conformance/conformance.test.js"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
  },
});
