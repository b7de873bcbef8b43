import { defineProject, mergeConfig } from "vitest/config";
import base from "../../vitest.base.ts";

// Pure functions leave nothing behind: one process for all files spares a start of Node for each.
export default mergeConfig(base, defineProject({ test: { isolate: false } }));
