// What stands for a halond: starts one service in a Node process, and lets it spin for ever when it is told to.
import { startNodeProcess } from "../../dist/host/node-process/index.js";

const [, , specText, blobPath, isToSpin] = process.argv;
const spec = JSON.parse(specText);
const values = { configValues: () => spec.config, blobPath: () => blobPath };
const runner = startNodeProcess({ ...spec, ...values }, ({ type }) => {
  if (type !== "ready") return;
  if (isToSpin === "spin") runner.call("spin", [], 60_000).catch(() => undefined);
  process.stdout.write(`${runner.osPid}\n`);
});
