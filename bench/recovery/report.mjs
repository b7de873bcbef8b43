// Turns stamps into tables of at most 80 columns.
import { existsSync, readFileSync } from "node:fs";

const steps = [
  ["detection: death to its report", "death", "exit"],
  ["report: to the coordinator", "exit", "received"],
  ["decision", "received", "decided"],
  ["commit: encoded, written, fsynced", "decided", "durable"],
  ["command: to the node", "durable", "command"],
  ["start: to the spawn call", "command", "spawn"],
  ["the spawn call itself", "spawn", "spawned"],
  ["death to the spawn call", "death", "spawn"],
  ["death to the first line of its code", "death", "first"],
  ["death to ready", "death", "ready"],
];

const columns = 80;

/** Milliseconds between two stamps in ns. */
export function ms(from, to) {
  return Number(to - from) / 1e6;
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** One line for each contestant; ratios are to the first. What could not run here has the reason in its line. */
export function compare(title, rows) {
  console.log(
    `\n${title}\n${"".padEnd(30)}${cells(["kills", "p50 ms", "p99 ms", "max ms", "x floor"])}`,
  );
  const floor = quantile(rows[0].values, 0.5);
  for (const { name, values, notHere } of rows) {
    if (notHere !== undefined) {
      console.log(`${name.padEnd(30)} not run here:\n  ${notHere.slice(0, columns - 2)}`);
      continue;
    }
    const ratio = (quantile(values, 0.5) / floor).toFixed(2);
    console.log(name.padEnd(30) + cells([values.length, ...times(values, 2), ratio]));
  }
}

/** One line for each row of times in ms, with so many digits; `what` names what was done so many times. */
export function quantiles(title, { rows, digits = 0, what = "kills" }) {
  console.log(`\n${title}\n${"".padEnd(36)}${cells([what, "p50 ms", "p99 ms", "max ms"])}`);
  for (const { name, values } of rows)
    console.log(name.padEnd(36) + cells([values.length, ...times(values, digits)]));
}

function times(values, digits) {
  if (values.length === 0) return ["-", "-", "-"];
  return [0.5, 0.99, 1].map((share) => quantile(values, share).toFixed(digits));
}

/** Where the time goes in Halon: from the stamps that it writes where HALON_TRACE names a file. */
export function breakdown({ title, service, trace, kills }) {
  const recoveries = withTrace(service, trace, kills);
  const lost = kills.length - recoveries.length;
  console.log(`\n${title}: where the time goes${lost > 0 ? ` (${lost} without a trace)` : ""}`);
  console.log(`${"".padEnd(38)}${cells(["p50 ms", "p99 ms", "max ms"])}`);
  for (const [name, from, to] of steps) {
    const values = recoveries.map((stamps) => ms(stamps[from], stamps[to]));
    console.log(name.padEnd(38) + cells(times(values, 2)));
  }
}

/** Milliseconds between two points of every kill that has a trace. */
export function timesBetween({ service, trace, kills }, from, to) {
  return withTrace(service, trace, kills).map((stamps) => ms(stamps[from], stamps[to]));
}

function withTrace(service, trace, kills) {
  if (!existsSync(trace)) return [];
  const lines = readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${service}@`))
    .map((line) => line.split(" "))
    .map(([ns, point, instance]) => ({ at: BigInt(ns), point, slot: instance.split("#")[0] }));
  return kills.flatMap(({ name, diedAt, firstAt }) => {
    const slot = `${service}@${name.split("/").at(-1)}`;
    const stamps = { death: diedAt, first: firstAt };
    for (const { at, point, slot: of } of lines)
      if (of === slot && at >= diedAt && (stamps[point] ?? at) >= at) stamps[point] = at;
    return steps.every(([, from, to]) => from in stamps && to in stamps) ? [stamps] : [];
  });
}

function cells(values) {
  return values.map((value) => String(value).padStart(9)).join("");
}
