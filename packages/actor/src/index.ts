export {
  type Behaviour,
  type CallOptions,
  type Down,
  type Exit,
  type ExitReason,
  Failure,
  failure,
  type Handlers,
  Later,
  later,
  type Meta,
  type MonitorRef,
  type Self,
  type SpawnOptions,
} from "./core/behaviour.ts";
export type { Hello, LinkClass } from "./core/hello.ts";
export { type Address, type NameAddress, nodeOf, type Pid, toPid } from "./core/pid.ts";
export { type RestartDecision, restartDecision } from "./core/restart.ts";
export type { BulkHandler, BulkMeta, BulkOptions } from "./link/bulk.ts";
export { type KeeperEvents, keepLink, type LinkKeeper } from "./link/keeper.ts";
export type { Link, LinkEvents } from "./link/link.ts";
export {
  type AcceptOptions,
  acceptLink,
  type ConnectOptions,
  connectLink,
  linkPath,
  linkServerOptions,
  type PeerCheck,
} from "./link/open.ts";
export {
  type ChildInfo,
  type ChildSpec,
  type RestartType,
  type SupervisorCall,
  type SupervisorOptions,
  supervisor,
} from "./supervisor.ts";
export { createSystem, type SystemOptions } from "./system.ts";
export type { ActorSystem, SystemEvents, SystemStats } from "./system-port.ts";
export {
  exposeWorker,
  nodeEndpoint,
  type WrapOptions,
  type WrappedWorker,
  wrapWorker,
} from "./thread/endpoint.ts";
export { connectWorkers, type WorkerOptions, type WorkerProcess } from "./thread/host.ts";
