export { type AdoptOptions, adoptProcesses, type Found } from "./adopt.ts";
export { startProcess } from "./start.ts";
