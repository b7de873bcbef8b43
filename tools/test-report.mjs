/** What one run of vitest counted, read from its JSON report. */
import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ label: string, passed: number, failed: number, skipped: number, total: number }} Counts */
/** @typedef {{ name: string, status: string, assertionResults: { status: string, fullName?: string, failureMessages?: string[] }[] }} FileResult */

/**
 * @param {string} label
 * @param {string} file No file means no run: zero of everything; the step's exit code tells the rest.
 * @returns {Counts}
 */
export function readReport(label, file) {
  return countsOf(label, filesIn(file));
}

/**
 * @param {string} file A JSON report of vitest.
 * @returns {FileResult[]} Empty when there is no report.
 */
export function filesIn(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).testResults : [];
}

/**
 * @param {string} label
 * @param {readonly FileResult[]} files
 * @returns {Counts}
 */
export function countsOf(label, files) {
  const tests = files.flatMap((each) => each.assertionResults);
  const count = (...wanted) => tests.filter((each) => wanted.includes(each.status)).length;
  // A file that does not load has no failed test in it, and still failed.
  const unloaded = files.filter(
    (each) => each.status === "failed" && failuresIn(each).length === 0,
  );
  const passed = count("passed");
  const failed = count("failed") + unloaded.length;
  const skipped = count("skipped", "pending", "todo", "disabled");
  return { label, passed, failed, skipped, total: passed + failed + skipped };
}

/** @param {FileResult} file */
export function failuresIn(file) {
  return file.assertionResults.filter((each) => each.status === "failed");
}

/**
 * @param {readonly Counts[]} counts
 * @param {"passed" | "failed" | "skipped"} what
 */
export function sum(counts, what) {
  return counts.reduce((total, each) => total + each[what], 0);
}
