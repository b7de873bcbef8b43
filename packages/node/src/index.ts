export {
  type AgencyEnd,
  type AgencyNodeOptions,
  type AgencyPart,
  type OpenAgency,
  type RunningAgencyNode,
  startAgencyNode,
  withDataDir,
} from "./agency-node.ts";
export { endpointOf } from "./data-dir.ts";
export type { NodeOptions, RunningNode, StartContext } from "./options.ts";
export { startNode } from "./start.ts";
export { version } from "./version.ts";
