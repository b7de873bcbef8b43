import { type AgentEffect, type LeaseEffect, renewTimeoutMs, type ToAgent } from "@halon/node/core";
import type { Command, CommandAction, JsonObject } from "@halon/protocol";
import type { World } from "../world.ts";
import { followBeatsSoon } from "./beats.ts";
import { runFollower } from "./follower.ts";
import type { SimHalond } from "./halond.ts";
import { failCall, noteCall, send, slotOf } from "./messages.ts";
import { runParts } from "./parts.ts";
import { runSite } from "./site-driver.ts";
import { restartSupervisor } from "./supervisor.ts";
import { arm, disarm } from "./threads.ts";
import { clusterOf, machineMs, saw } from "./world.ts";

const attachTimeoutMs = 2_000;

/** An event of this node goes to the leader. */
export function emit(world: World, halond: SimHalond, type: string, data: unknown): void {
  const { node, agent } = halond;
  const event = { type, version: 1, data: data as JsonObject };
  saw(world, { type: "emitted", node, event });
  runAgent(world, halond, agent.emit(event, machineMs(world, node)));
}

/** The leader tells the agent something. */
export function takeForAgent(world: World, halond: SimHalond, message: ToAgent): void {
  const { agent, satellite } = halond;
  const now = machineMs(world, halond.node);
  switch (message.type) {
    case "commands":
      for (const command of message.commands)
        takeCommand(world, halond, command, message.incarnation);
      return;
    case "ack":
      runAgent(world, halond, agent.acknowledged(message.sequence));
      return;
    case "gap":
      runAgent(world, halond, agent.gap(message.expected, now));
      return;
    case "delta":
      if (satellite !== null) runFollower(world, halond, satellite.follower.delta(message.delta));
      return;
    case "heard":
      return;
    case "detached":
      runAgent(world, halond, agent.detached());
      return;
  }
}

function takeCommand(
  world: World,
  halond: SimHalond,
  command: Command,
  incarnation: number | undefined,
): void {
  const { node, agent } = halond;
  const effects = agent.command(command, incarnation, machineMs(world, node));
  saw(world, { type: "commandTaken", node, command, verdict: verdictOf(effects, command.id) });
  runAgent(world, halond, effects);
}

/** What was made of a command, as its effects show. */
function verdictOf(effects: readonly AgentEffect[], command: string) {
  if (effects.length === 0) return "known";
  const refusal = effects.find((effect) => effect.type === "commandRefused");
  if (refusal?.command !== command) return "begin";
  return effects.length === 1 ? "stale" : "refuse";
}

/** Carries out effects of the agent, in the order in which they were given, those of an input meanwhile after them. */
export function runAgent(world: World, halond: SimHalond, effects: readonly AgentEffect[]): void {
  halond.agentWork.push(...effects);
  if (halond.isAgentRunning) return;
  halond.isAgentRunning = true;
  for (let next = halond.agentWork.shift(); next !== undefined; next = halond.agentWork.shift())
    if (halond.isAlive) perform(world, halond, next);
  halond.isAgentRunning = false;
}

function perform(world: World, halond: SimHalond, effect: AgentEffect): void {
  const { node, agent, renewals, satellite } = halond;
  switch (effect.type) {
    case "attach":
      attach(world, halond, effect);
      return;
    case "send": {
      const { leader, events } = effect;
      saw(world, { type: "eventsSent", node, events });
      const message = {
        type: "events",
        node: node.name,
        incarnation: halond.incarnation,
        events,
      } as const;
      const envelope = { to: "tracker", message, ref: null } as const;
      if (!send(world, halond, slotOf(world, leader), envelope))
        runAgent(world, halond, agent.unsent());
      return;
    }
    case "follow":
      satellite?.search.attached();
      followBeatsSoon(world, halond);
      if (satellite !== null) {
        const isLinked = halond.leaderLink.peer !== undefined;
        const { index } = effect.answer;
        const { follower } = satellite;
        runFollower(world, halond, follower.attached(index, halond.replica.index, isLinked));
      }
      return;
    case "refused":
      satellite?.search.refused();
      return;
    case "perform":
      begin(world, halond, effect);
      return;
    case "fetch":
      // Every file is on every node here.
      runAgent(world, halond, agent.fetched(effect.ref));
      return;
    case "acquire": {
      const { ref, lease, timeoutMs } = effect;
      runRenewals(world, halond, renewals.acquire(lease, timeoutMs));
      halond.acquiring.set(lease.instance, ref);
      return;
    }
    case "giveUp":
      runRenewals(world, halond, renewals.giveUp(effect.instance));
      return;
    case "renewSoon":
      runRenewals(world, halond, renewals.renewSoon());
      return;
    case "arm":
      arm(world, halond, `agent:${effect.key}`, effect.inMs);
      return;
    case "disarm":
      disarm(halond, `agent:${effect.key}`);
      return;
    case "dropped":
      world.trace.note(world.now, `${node.name} drops ${effect.event}`);
      return;
    case "commandRefused":
      world.trace.note(world.now, `${node.name} refuses ${effect.command}: ${effect.reason}`);
      return;
    case "flushed":
      return;
  }
}

function attach(
  world: World,
  halond: SimHalond,
  { ref, leader }: Extract<AgentEffect, { readonly type: "attach" }>,
): void {
  const { node, incarnation } = halond;
  const of = slotOf(world, leader);
  const what = { type: "attach", ref } as const;
  const number = noteCall(world, halond, { of, what }, attachTimeoutMs);
  const message = { type: "attach", node: node.name, incarnation } as const;
  if (!send(world, halond, of, { to: "tracker", message, ref: number }))
    failCall(world, halond, number);
}

function begin(
  world: World,
  halond: SimHalond,
  { action, command }: Extract<AgentEffect, { readonly type: "perform" }>,
): void {
  if (action.type === "RestartSupervisor") restartSupervisor(world, halond, command);
  else if (action.type === "RunHook") runHook(world, halond, action, command);
  else if (action.type === "RunProgram" || action.type === "CallWebhook")
    carryOut(world, halond, action, command);
  else {
    const ofPart = halond.parts.perform(action, command);
    const now = machineMs(world, halond.node);
    if (ofPart !== null) runParts(world, halond, ofPart);
    else runSite(world, halond, halond.site.perform(action, command, now));
  }
}

/** The programs of operators end at once, as the settings say. */
function runHook(
  world: World,
  halond: SimHalond,
  action: Extract<CommandAction, { readonly type: "RunHook" }>,
  command: string,
): void {
  const { node } = halond;
  const { service, instance, hook, target } = action;
  const outcome = clusterOf(world).settings.hooks?.[hook];
  if (outcome === undefined) {
    const refusal = { code: "HAL_FAILED", message: "no program can be run here" } as const;
    runAgent(world, halond, halond.agent.notBegun(command, refusal, machineMs(world, node)));
    return;
  }
  const ended = { node: node.name, service, instance, command, hook, target, outcome };
  halond.emit(world, halond, "HookEnded", ended);
}

/** Programs and webhooks of rules do their work at once. */
function carryOut(
  world: World,
  halond: SimHalond,
  { type }: Extract<CommandAction, { readonly type: "RunProgram" | "CallWebhook" }>,
  command: string,
): void {
  const about = { node: halond.node.name, command, outcome: "done" };
  if (type === "RunProgram") halond.emit(world, halond, "ProgramEnded", { ...about, output: "" });
  else halond.emit(world, halond, "WebhookEnded", { ...about, attempts: 1, body: "" });
}

/** Asks for the leases of what runs here, and of what waits for one. */
export function renew(world: World, halond: SimHalond): void {
  const { agent, renewals, site } = halond;
  const now = machineMs(world, halond.node);
  const around = { leader: agent.leader, leased: site.leased(), now };
  runRenewals(world, halond, renewals.renew(around));
}

export function runRenewals(
  world: World,
  halond: SimHalond,
  effects: readonly LeaseEffect[],
): void {
  for (const effect of effects) performRenewal(world, halond, effect);
}

function performRenewal(world: World, halond: SimHalond, effect: LeaseEffect): void {
  const { node, agent, site } = halond;
  const now = machineMs(world, node);
  switch (effect.type) {
    case "soon":
      arm(world, halond, "renewSoon", 0);
      return;
    case "ask": {
      const { ref, leader, asked } = effect;
      const of = slotOf(world, leader);
      const what = { type: "renew", ref } as const;
      const number = noteCall(world, halond, { of, what }, renewTimeoutMs);
      const message = { type: "renew", node: node.name, asked } as const;
      if (!send(world, halond, of, { to: "tracker", message, ref: number }))
        failCall(world, halond, number);
      return;
    }
    case "renewed": {
      const { instance, untilMs } = effect;
      saw(world, { type: "leaseRenewed", node, instance, untilMs });
      runSite(world, halond, site.renewed(instance, untilMs, now));
      return;
    }
    case "granted": {
      const ref = halond.acquiring.get(effect.instance);
      halond.acquiring.delete(effect.instance);
      if (ref !== undefined) runAgent(world, halond, agent.granted(ref));
      return;
    }
    case "refused": {
      const ref = halond.acquiring.get(effect.instance);
      halond.acquiring.delete(effect.instance);
      if (ref !== undefined) runAgent(world, halond, agent.notGranted(ref, effect.refusal, now));
      return;
    }
    case "arm":
      arm(world, halond, `lease:${effect.key}`, effect.inMs);
      return;
    case "disarm":
      disarm(halond, `lease:${effect.key}`);
      return;
    case "notRenewed":
      world.trace.note(world.now, `${node.name} gets no lease of ${effect.instance}`);
      return;
  }
}
