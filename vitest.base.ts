import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

/** Imports of the workspace find its sources, not what was built of them. */
export const conditions = ["@halon/source", ...defaultServerConditions];

const propertyTests = fileURLToPath(new URL("tools/property-tests.ts", import.meta.url));

/** Unit tests run from source; only tests that start threads or processes need a build first. */
export default defineConfig({
  ssr: { resolve: { conditions } },
  resolve: { conditions, alias: [{ find: /^fast-check$/, replacement: propertyTests }] },
  test: {
    pool: "forks",
    include: ["src/**/*.test.ts"],
    passWithNoTests: true,
    // A bound for what hangs, not for what is slow: machines are shared.
    testTimeout: 60_000,
    // `npm test` adds up these reports; turbo keeps each with the cached result it belongs to.
    reporters: ["default", ["json", { outputFile: ".test-report.json" }]],
  },
});
