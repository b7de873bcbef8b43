import { defineProject, mergeConfig } from "vitest/config";
import base from "../../vitest.base.ts";

// Its programs and threads mostly wait: for deadlines, leases, backoff.
export default mergeConfig(base, defineProject({ test: { maxWorkers: 2 } }));
