// Tables of at most 80 columns.

const nameWidth = 30;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function heading(title, columns) {
  console.log(`\n${title.padEnd(nameWidth)}${cells(columns)}`);
}

export function row(name, values) {
  console.log(name.padEnd(nameWidth) + cells(values));
}

function cells(values) {
  return values.map((value) => String(value).padStart(10)).join("");
}

export function count(value) {
  return Math.round(value).toLocaleString("en-GB");
}

/** One aim: the value, what it is to be, and whether it is. */
export function verdict(what, value, relation, aim, digits = 2) {
  const met = relation === ">=" ? value >= aim : relation === "<" ? value < aim : value <= aim;
  const figures = `${value.toFixed(digits).padStart(10)}  ${`${relation} ${aim}`.padStart(10)}`;
  console.log(`${what.padEnd(48)}${figures}  ${met ? "met" : "missed"}`);
}
