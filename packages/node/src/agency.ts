export {
  type AgencyEnd,
  type AgencyNodeOptions,
  type AgencyPart,
  type OpenAgency,
  type RunningAgencyNode,
  startAgencyNode,
  withDataDir,
} from "./agency-node.ts";
export { version } from "./version.ts";
