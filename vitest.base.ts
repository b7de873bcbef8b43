import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

/** Unit tests run from source; only tests that start threads or processes need a build first. */
export default defineConfig({
  ssr: { resolve: { conditions: ["@halon/source", ...defaultServerConditions] } },
  resolve: { conditions: ["@halon/source", ...defaultServerConditions] },
  test: { pool: "forks", include: ["src/**/*.test.ts"], testTimeout: 10_000 },
});
