import { defineProject, mergeConfig } from "vitest/config";
import base from "../../vitest.base.ts";

/** Longer than elsewhere: some tests go through every interleaving, on a machine that may be busy. */
export default mergeConfig(base, defineProject({ test: { testTimeout: 60_000 } }));
