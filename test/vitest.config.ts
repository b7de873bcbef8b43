import { defineConfig } from "vitest/config";

/** Minutes, because these suites start real processes on machines that may be busy. */
const slow = { testTimeout: 120_000, hookTimeout: 120_000 };

/** One project a kind: suites that cross packages, run after the build and never from a cache. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "docs", include: ["test/docs/**/*.test.ts"], testTimeout: 60_000 } },
      { test: { name: "determinism", include: ["test/determinism/**/*.test.ts"], ...slow } },
      { test: { name: "conformance", include: ["test/conformance/**/*.test.ts"], ...slow } },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          // Clusters of several processes each: one after the other, so that deadlines hold on two cores.
          fileParallelism: false,
          ...slow,
        },
      },
    ],
  },
});
