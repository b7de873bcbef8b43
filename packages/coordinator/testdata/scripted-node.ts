import {
  type Command,
  type CommandAction,
  compareCommandIds,
  compareText,
  type Json,
  type JsonObject,
  type ServiceManifest,
} from "@halon/protocol";

type ActionOf<T extends CommandAction["type"]> = Extract<CommandAction, { type: T }>;

/** What runs on a scripted node. */
export interface Running {
  readonly instance: string;
  readonly service: string;
  readonly type: string;
  readonly version: string;
  readonly kind: ServiceManifest["kind"];
  state: "starting" | "running" | "stopping";
  configHash: string;
  startCommands: string[];
  stopCommands: string[];
}

interface WaitingStart {
  readonly action: ActionOf<"StartService">;
  readonly commands: string[];
}

export interface SentEvent {
  readonly sequence: number;
  readonly type: string;
  readonly data: Json;
}

/**
 * A node as plain data, which behaves as the node's agent and supervisor do.
 *
 * Services get ready and end when the test says so. Nothing here knows what the coordinator wants.
 */
export interface NodeData {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  incarnation: number;
  isLinked: boolean;
  sequence: number;
  last: string | null;
  epoch: number;
  /** Services that answer a new configuration with a conflict. */
  stiff: string[];
  begun: string[];
  /** Commands received and not begun. */
  inbox: Command[];
  /** Events that are not acknowledged, in order. */
  events: SentEvent[];
  running: Record<string, Running>;
  waiting: Record<string, WaitingStart>;
  /** Reasons of starts that were refused because another instance held the name. */
  nameTaken: string[];
}

export function createNode(name: string, labels: Readonly<Record<string, string>> = {}): NodeData {
  return {
    name,
    labels,
    incarnation: 1,
    isLinked: false,
    sequence: 0,
    last: null,
    epoch: 0,
    stiff: [],
    begun: [],
    inbox: [],
    events: [],
    running: {},
    waiting: {},
    nameTaken: [],
  };
}

/** Opens the link: the next events are NodeJoined and the inventory. */
export function connect(node: NodeData): void {
  node.isLinked = true;
  emit(node, "NodeJoined", {
    node: node.name,
    address: `127.0.0.1:${8_500 + node.name.length}`,
    hostname: `host-of-${node.name}`,
    role: "satellite",
    incarnation: node.incarnation,
    labels: node.labels,
    version: "0.1.0",
  });
  emit(node, "NodeInventory", {
    node: node.name,
    lastCommand: node.last,
    instances: inventory(node),
  });
}

/** The `halond` ends and starts again: workers die with it, OS processes go on, and what it knew is gone. */
export function restartNode(node: NodeData): void {
  node.isLinked = false;
  node.incarnation += 1;
  node.sequence = 0;
  node.last = null;
  node.begun = [];
  node.inbox = [];
  node.events = [];
  node.waiting = {};
  for (const running of Object.values(node.running)) {
    // An adopted process is running: a new supervisor does not know that it was being started or stopped.
    if (running.kind === "worker") delete node.running[running.instance];
    else Object.assign(running, { state: "running", startCommands: [], stopCommands: [] });
  }
}

/** Begins the oldest command received. */
export function begin(node: NodeData): void {
  const command = node.inbox.shift();
  if (command === undefined) return;
  if (command.epoch < node.epoch) {
    refuse(node, command.id, "HAL_COMMAND_STALE", "a later epoch has taken over");
    return;
  }
  node.epoch = command.epoch;
  if (node.begun.includes(command.id)) return;
  node.begun.push(command.id);
  if (node.last === null || compareCommandIds(command.id, node.last) > 0) node.last = command.id;
  perform(node, command);
}

/** Instances that are on their way somewhere: starting or stopping, sorted. */
export function underWay(node: NodeData): readonly Running[] {
  return inOrder(node).filter((running) => running.state !== "running");
}

/** A start gets ready, or a stop ends. */
export function finish(node: NodeData, instance: string): void {
  const running = node.running[instance];
  if (running?.state === "starting") {
    running.state = "running";
    reportStarted(node, running);
  } else if (running?.state === "stopping") {
    const conflict = `${instance} was stopped before it was ready`;
    for (const command of running.startCommands) refuse(node, command, "HAL_CONFLICT", conflict);
    for (const command of running.stopCommands)
      emit(node, "ServiceStopped", { ...place(node, running), command });
    if (running.stopCommands.length === 0) emit(node, "ServiceStopped", place(node, running));
    letGo(node, running);
  }
}

/** It ends without being told to. */
export function fail(node: NodeData, instance: string, healthyMs = 0): void {
  const running = node.running[instance];
  if (running === undefined) return;
  const at = place(node, running);
  if (running.state === "starting") {
    const cause = { code: "HAL_SERVICE_START", reason: "it threw" };
    for (const command of running.startCommands)
      emit(node, "ServiceCouldNotStart", { ...at, ...cause, command });
    if (running.startCommands.length === 0) emit(node, "ServiceCouldNotStart", { ...at, ...cause });
  } else {
    emit(node, "ServiceFailed", { ...at, reason: "it exited with code 1", healthyMs });
    const conflict = `${instance} has ended before this start was answered`;
    for (const command of running.startCommands) refuse(node, command, "HAL_CONFLICT", conflict);
  }
  for (const command of running.stopCommands) emit(node, "ServiceStopped", { ...at, command });
  letGo(node, running);
}

export function emit(node: NodeData, type: string, data: JsonObject): void {
  node.sequence += 1;
  node.events.push({ sequence: node.sequence, type, data });
}

function perform(node: NodeData, { id, action }: Command): void {
  switch (action.type) {
    case "StartService":
      start(node, action, [id]);
      break;
    case "StopService":
      stop(node, action, id);
      break;
    case "CheckService":
    case "ReportStatus":
      ask(node, action, id);
      break;
    case "ReconfigureService":
      reconfigure(node, action, id);
      break;
  }
}

function start(node: NodeData, action: ActionOf<"StartService">, commands: string[]): void {
  const { service, instance, manifest, configHash } = action;
  const present = node.running[instance];
  if (present !== undefined) {
    present.startCommands.push(...commands);
    if (present.state === "running") reportStarted(node, present);
    return;
  }
  const holder = inOrder(node).find((running) => running.service === service);
  if (holder?.state === "stopping") {
    node.waiting[service] = { action, commands };
  } else if (holder !== undefined) {
    const reason = `${holder.instance} (${holder.state}) holds ${service} on ${node.name}`;
    node.nameTaken.push(`${instance}: ${reason}`);
    const cause = { code: "HAL_NAME_TAKEN", reason, holder: holder.instance };
    couldNotStart(node, action, commands, cause);
  } else {
    const { name: type, version, kind } = manifest;
    node.running[instance] = {
      instance,
      service,
      type,
      version,
      kind,
      state: "starting",
      configHash,
      startCommands: commands,
      stopCommands: [],
    };
  }
}

function stop(node: NodeData, action: ActionOf<"StopService">, command: string): void {
  const { service, instance } = action;
  const present = node.running[instance];
  if (present !== undefined) {
    present.state = "stopping";
    present.stopCommands.push(command);
    return;
  }
  const queued = node.waiting[service];
  if (queued?.action.instance === instance) {
    delete node.waiting[service];
    const reason = `${instance} was stopped before it was started`;
    couldNotStart(node, queued.action, queued.commands, { code: "HAL_CONFLICT", reason });
  }
  emit(node, "ServiceStopped", { node: node.name, service, instance, command });
}

function ask(
  node: NodeData,
  { type, instance }: ActionOf<"CheckService"> | ActionOf<"ReportStatus">,
  command: string,
): void {
  const running = node.running[instance];
  if (running?.state !== "running") {
    refuse(node, command, "HAL_SERVICE_NOT_RUNNING", `${instance} does not run on ${node.name}`);
    return;
  }
  const at = { ...place(node, running), command };
  if (type === "CheckService") emit(node, "ServiceChecked", { ...at, health: "ok" });
  else emit(node, "ServiceReported", { ...at, report: { requests: 3 } });
}

function reconfigure(
  node: NodeData,
  action: ActionOf<"ReconfigureService">,
  command: string,
): void {
  const running = node.running[action.instance];
  if (running?.state !== "running") {
    refuse(node, command, "HAL_SERVICE_NOT_RUNNING", `${action.instance} does not run`);
  } else if (node.stiff.includes(running.service)) {
    refuse(node, command, "HAL_CONFLICT", `${action.instance} cannot take it while it runs`);
  } else {
    running.configHash = action.configHash;
    const configuration = action.configHash;
    emit(node, "ServiceReconfigured", { ...place(node, running), command, configuration });
  }
}

function letGo(node: NodeData, running: Running): void {
  delete node.running[running.instance];
  const next = node.waiting[running.service];
  if (next === undefined) return;
  delete node.waiting[running.service];
  start(node, next.action, next.commands);
}

function reportStarted(node: NodeData, running: Running): void {
  const pid = running.kind === "process" ? { osPid: 4_711 } : {};
  const data = { ...place(node, running), ...pid, configuration: running.configHash };
  const commands = running.startCommands.splice(0);
  for (const command of commands) emit(node, "ServiceStarted", { ...data, command });
  if (commands.length === 0) emit(node, "ServiceStarted", data);
}

function couldNotStart(
  node: NodeData,
  { service, instance }: ActionOf<"StartService">,
  commands: readonly string[],
  cause: { readonly code: string; readonly reason: string; readonly holder?: string },
): void {
  for (const command of commands)
    emit(node, "ServiceCouldNotStart", { node: node.name, service, instance, ...cause, command });
}

function refuse(node: NodeData, command: string, code: string, reason: string): void {
  emit(node, "CommandRefused", { node: node.name, command, code, reason });
}

function inventory(node: NodeData): Json[] {
  const present = inOrder(node).map(({ instance, service, type, version, state, kind }) => ({
    instance,
    service,
    type,
    version,
    state,
    health: state === "running" ? "ok" : "unknown",
    ...(kind === "process" ? { osPid: 4_711 } : {}),
  }));
  const waiting = Object.values(node.waiting).map(({ action }) => ({
    instance: action.instance,
    service: action.service,
    type: action.manifest.name,
    version: action.manifest.version,
    state: "starting",
    health: "unknown",
  }));
  return [...present, ...waiting];
}

function inOrder(node: NodeData): readonly Running[] {
  return Object.values(node.running).sort((a, b) => compareText(a.instance, b.instance));
}

function place(node: NodeData, { service, instance }: Running) {
  return { node: node.name, service, instance };
}
