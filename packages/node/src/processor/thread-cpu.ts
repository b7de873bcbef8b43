import { readFileSync } from "node:fs";

/** CPU time of the calling thread in ms; that of the process where the kernel does not tell. */
export function threadCpuMs(): number {
  try {
    // Nanoseconds on a CPU, waited for one, and slices (proc(5)).
    const [nanoseconds] = readFileSync("/proc/thread-self/schedstat", "utf8").split(" ");
    return Number(nanoseconds) / 1_000_000;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  }
}
