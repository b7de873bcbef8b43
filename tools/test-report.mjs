/** What one run of vitest counted, read from its JSON report. */
import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ label: string, passed: number, failed: number, skipped: number, total: number }} Counts */

/**
 * @param {string} label
 * @param {string} file No file means no run: zero of everything; the step's exit code tells the rest.
 * @returns {Counts}
 */
export function readReport(label, file) {
  if (!existsSync(file)) return { label, passed: 0, failed: 0, skipped: 0, total: 0 };
  const report = JSON.parse(readFileSync(file, "utf8"));
  // A file that does not load has no failed test in it, and still failed.
  const unloaded = report.testResults.filter(
    (each) =>
      each.status === "failed" &&
      !each.assertionResults.some((assertion) => assertion.status === "failed"),
  ).length;
  const passed = report.numPassedTests;
  const failed = report.numFailedTests + unloaded;
  const skipped = report.numPendingTests + report.numTodoTests;
  return { label, passed, failed, skipped, total: passed + failed + skipped };
}

/**
 * @param {readonly Counts[]} counts
 * @param {"passed" | "failed" | "skipped"} what
 */
export function sum(counts, what) {
  return counts.reduce((total, each) => total + each[what], 0);
}
