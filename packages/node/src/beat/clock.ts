/** Monotonic ms that all threads of the process count alike. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
