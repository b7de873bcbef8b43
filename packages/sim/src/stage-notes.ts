import type { CommandAction, Json } from "@halon/protocol";
import type { Happening } from "./cluster/happening.ts";
import type { ClusterObserver } from "./cluster/invariants/cluster-invariant.ts";
import type { ProcessEnd } from "./cluster/processes.ts";

/** An event as it was decided. */
export interface DecidedEvent {
  readonly type: string;
  readonly data: Json;
}

/** A rule that fired, as the log has it. */
export interface Fired {
  /** Without its file. */
  readonly rule: string;
  readonly event: DecidedEvent;
  readonly why: string;
  /** Types of the commands that it sent. */
  readonly commands: readonly string[];
  /** The same commands, whole. */
  readonly actions: readonly CommandAction[];
  /** Index and epoch of its record. */
  readonly index: number;
  readonly epoch: number;
  readonly atMs: number;
}

/** A command that came to its node, for the first time or again, and what the node made of it. */
export interface TakenCommand {
  readonly id: string;
  readonly epoch: number;
  readonly type: string;
  readonly instance: string;
  readonly node: string;
  readonly verdict: Extract<Happening, { readonly type: "commandTaken" }>["verdict"];
  readonly atMs: number;
}

/** A coordinator that began to decide. */
export interface Takeover {
  readonly node: string;
  readonly epoch: number;
  /** Of the last record before it. */
  readonly index: number;
  readonly atMs: number;
}

/** What a leader concluded of a node. */
export interface Observed {
  readonly type: "NodeSuspected" | "NodeTrusted" | "NodeLost";
  readonly node: string;
  readonly leader: string;
  readonly reason: string;
  readonly atMs: number;
}

/** One life of a process or worker. */
export interface Life {
  readonly service: string;
  readonly instance: string;
  readonly node: string;
  /** Of an exclusive start; else null. */
  readonly token: number | null;
  readonly fromMs: number;
  /** Null while it lives. */
  readonly untilMs: number | null;
  readonly end: ProcessEnd | null;
}

/** A configuration that a node told to one that said hello. */
export interface ToldConfig {
  readonly by: string;
  readonly to: string;
  /** Names of those in it. */
  readonly peers: readonly string[];
  readonly complete: boolean;
}

/** All that a stage has seen, oldest first. */
export interface StageNotes {
  readonly fired: Fired[];
  readonly events: DecidedEvent[];
  readonly observed: Observed[];
  readonly lives: Life[];
  readonly taken: TakenCommand[];
  readonly takeovers: Takeover[];
  /** Indexes of records of which a coordinator did not learn what became of them. */
  readonly unknown: number[];
  /** Grants of leases to nodes. */
  readonly grants: { readonly to: string; readonly leader: string; readonly atMs: number }[];
  readonly told: ToldConfig[];
}

/** Nothing seen yet. */
export function emptyNotes(): StageNotes {
  return {
    fired: [],
    events: [],
    observed: [],
    lives: [],
    taken: [],
    takeovers: [],
    unknown: [],
    grants: [],
    told: [],
  };
}

/** Notes what rules decide, as it is committed, and what leaders and processes do. */
export function notesInto(notes: StageNotes): ClusterObserver {
  return {
    afterRecord: ({ world }, { decisions, index, epoch }) => {
      for (const { event, firings } of decisions) {
        notes.events.push(event);
        for (const { rule, why, commands } of firings)
          notes.fired.push({
            rule: rule.slice(rule.indexOf("/") + 1),
            event,
            why,
            commands: commands.map(({ action }) => action.type),
            actions: commands.map(({ action }) => action),
            index,
            epoch,
            atMs: world.now / 1_000,
          });
      }
    },
    saw: ({ world }, what) => {
      const atMs = world.now / 1_000;
      switch (what.type) {
        case "observed": {
          const { observation: type, node, reason } = what;
          notes.observed.push({ type, node, leader: what.leader.name, reason, atMs });
          return;
        }
        case "launched": {
          const { service, instance, token } = what.process;
          const life = { service, instance, node: what.node.name, token };
          notes.lives.push({ ...life, fromMs: atMs, untilMs: null, end: null });
          return;
        }
        case "ended": {
          const { instance } = what.process;
          const at = notes.lives.findLastIndex(
            (life) => life.instance === instance && life.untilMs === null,
          );
          const life = notes.lives[at];
          if (life !== undefined) notes.lives[at] = { ...life, untilMs: atMs, end: what.end };
          return;
        }
        case "commandTaken": {
          const { command, verdict } = what;
          const { type, instance } = command.action;
          const { id, epoch } = command;
          notes.taken.push({ id, epoch, type, instance, node: what.node.name, verdict, atMs });
          return;
        }
        case "leading": {
          const { epoch, index } = what;
          notes.takeovers.push({ node: what.node.name, epoch, index, atMs });
          return;
        }
        case "unknownOutcome":
          notes.unknown.push(what.index);
          return;
        case "helloAnswered": {
          const { peers, complete } = what.config;
          const names = peers.map(({ name }) => name);
          notes.told.push({ by: what.node.name, to: what.to.name, peers: names, complete });
          return;
        }
        case "granted":
          notes.grants.push({ to: what.to, leader: what.leader.name, atMs });
      }
    },
  };
}
