import { defineConfig } from "vitest/config";
import { conditions } from "../vitest.base.ts";

/** Minutes, because these suites start real processes on machines that may be busy. */
const slow = { testTimeout: 120_000, hookTimeout: 120_000 };

/** Their rules say within what time something is done, so they have the machine to themselves. */
const timed = ["acceptance", "bad-service", "rule-quarantine", "survival"].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/** One project a kind: suites that cross packages, run after the build and never from a cache. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "docs",
          maxWorkers: 2,
          include: ["test/docs/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      {
        ssr: { resolve: { conditions } },
        resolve: { conditions },
        test: {
          name: "scenarios",
          // Nothing of one file can meet another, and loading the simulator takes longer than running a file.
          isolate: false,
          maxWorkers: 2,
          include: ["test/scenarios/**/*.test.ts"],
          // Of simulated time; each of them takes a fraction of a second.
          testTimeout: 60_000,
        },
      },
      {
        ssr: { resolve: { conditions } },
        resolve: { conditions },
        // Tables over pure functions: nothing of one file can meet another.
        test: {
          name: "rules",
          isolate: false,
          maxWorkers: 2,
          include: ["test/rules/**/*.test.ts"],
          // Of virtual time; each of them takes a fraction of a second.
          testTimeout: 60_000,
        },
      },
      {
        ssr: { resolve: { conditions } },
        resolve: { conditions },
        test: {
          name: "engine",
          // Nothing of one file can meet another.
          isolate: false,
          maxWorkers: 2,
          include: ["test/engine/**/*.test.ts"],
        },
      },
      {
        test: {
          name: "determinism",
          include: ["test/determinism/**/*.test.ts"],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          ...slow,
        },
      },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          // They mostly wait, for elections and for the end of leases: the suite on determinism runs beside them.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          ...slow,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: timed,
          // Clusters of several processes each, which wait half of the time: three fill two cores.
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
          ...slow,
        },
      },
      {
        test: {
          name: "e2e-timed",
          include: timed,
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
          ...slow,
        },
      },
    ],
  },
});
