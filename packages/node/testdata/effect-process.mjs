/** A process that carries out one effect of a rule, as a node does, until it is killed. */
import { pino } from "pino";
import { Effects } from "../dist/effects.js";

const [, , dataDir, action] = process.argv;
const program = { command: ["sh", "-c", 'echo ran >> "$0"; exec sleep 2'], timeoutMs: 20_000 };
const effects = new Effects({
  node: "a",
  clusterId: "c1",
  dataDir,
  allowed: new Map([["slow", { ...program, args: { max: 1 }, env: {} }]]),
  log: pino({ level: "silent" }),
  emit: (type, data) => process.send({ type, data }),
});
effects.perform(JSON.parse(action), "7.1");
