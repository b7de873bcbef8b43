/** A process that runs one hook, as a node does, until it is killed. */
import { pino } from "pino";
import { Hooks } from "../dist/hooks.js";

const [, , dataDir, action] = process.argv;
const hooks = new Hooks({
  node: "a",
  dataDir,
  log: pino({ level: "silent" }),
  emit: (type, data) => process.send({ type, data }),
});
hooks.perform(JSON.parse(action), "7.1");
