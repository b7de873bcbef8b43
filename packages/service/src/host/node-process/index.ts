export { startNodeProcess } from "./start-node-process.ts";
