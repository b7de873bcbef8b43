import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { assert } from "./assert.ts";
import {
  describeConfiguration,
  describeEffect,
  describeMessage,
  describeState,
} from "./describe.ts";
import type { Effect } from "./effect.ts";
import { entriesOf } from "./log.ts";
import type { Message } from "./message.ts";
import type { RaftState } from "./state.ts";
import { Cluster, configurationOf, dataText } from "./testing.ts";

/** One line of a script: `quietly command key=value …`. */
interface Directive {
  readonly command: string;
  readonly args: ReadonlyMap<string, string>;
}

const directory = new URL("../testdata/", import.meta.url);

/** Runs a script and gives it back with the output that its commands have now. */
function replay(script: string): string {
  const session = new Session();
  const out: string[] = [];
  let isExpected = false;
  for (const line of script.split("\n")) {
    if (isExpected && line !== "") continue;
    isExpected = line === "----";
    if (isExpected) continue;
    out.push(line);
    if (line === "" || line.startsWith("#")) continue;
    const output = session.run(line);
    if (output.length > 0) out.push("----", ...output);
  }
  return out.join("\n");
}

function parse(words: readonly string[]): Directive {
  const [command = "", ...rest] = words;
  return { command, args: new Map(rest.map((word) => splitOnce(word))) };
}

function splitOnce(word: string): [string, string] {
  const at = word.indexOf("=");
  return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
}

/** The members of one script. */
class Session {
  readonly #cluster = new Cluster((before, after, effects) => this.#print(before, after, effects));
  #output: string[] = [];
  #statesOnly = false;
  #held: Message[] = [];

  run(line: string): readonly string[] {
    const words = line.split(" ");
    const isQuiet = words[0] === "quietly";
    const directive = parse(isQuiet ? words.slice(1) : words);
    this.#output = [];
    this.#statesOnly = ["settle", "elect", "heartbeats"].includes(directive.command);
    try {
      this.#do(directive);
    } catch (error) {
      // A broken invariant stops the member; a script may show which.
      if (isQuiet) throw error;
      this.#output.push(String(error));
    }
    return isQuiet ? [] : this.#output;
  }

  #print(before: RaftState, after: RaftState, effects: readonly Effect[]): void {
    const isNews = describeState(before) !== describeState(after);
    if (isNews) this.#output.push(describeState(after));
    for (const effect of effects) {
      const isTold = ["readReady", "readFailed", "removed", "refused"].includes(effect.type);
      if (!this.#statesOnly || isTold) {
        const owner = isNews ? "" : `${after.id}: `;
        this.#output.push(`  ${owner}${describeEffect(effect)}`);
      }
    }
  }

  #do({ command, args }: Directive): void {
    const cluster = this.#cluster;
    const id = args.get("id") ?? "";
    const count = Number(args.get("n") ?? "1");
    switch (command) {
      case "members":
        this.#members(args);
        return;
      case "tick":
        for (let at = 0; at < count; at += 1) {
          for (const each of list(args, "id")) cluster.give(each, { type: "tick" });
        }
        return;
      case "campaign":
        // Ticks until the wait is over, however long this member drew it.
        for (let at = 0; at < 400 && cluster.node(id).state.role === "follower"; at += 1) {
          cluster.give(id, { type: "tick" });
        }
        return;
      case "elect":
        cluster.deliver({
          type: "timeoutNow",
          from: [...cluster.nodes.keys()].find((each) => each !== id) ?? "",
          to: id,
          term: cluster.node(id).state.currentTerm,
        });
        cluster.settle();
        return;
      case "settle":
        cluster.settle();
        return;
      case "heartbeats":
        for (let at = 0; at < count * 5; at += 1) {
          cluster.give(id, { type: "tick" });
          if (at % 5 === 4) cluster.settle();
        }
        return;
      case "deliver":
        for (const message of this.#take(args)) cluster.deliver(message);
        return;
      case "drop":
        for (const message of this.#take(args))
          this.#output.push(`lost ${describeMessage(message)}`);
        return;
      case "hold":
        this.#held.push(...this.#take(args));
        return;
      case "release":
        cluster.network.push(...this.#held.splice(0));
        return;
      case "duplicate":
        cluster.network.push(...cluster.network.filter((message) => matches(message, args)));
        return;
      case "receive":
        cluster.deliver(messageOf(args));
        return;
      case "network":
        this.#output.push(...cluster.network.map(describeMessage));
        if (cluster.network.length === 0) this.#output.push("nothing is on its way");
        return;
      case "cut":
        this.#cut(args);
        return;
      case "heal":
        cluster.cut.clear();
        return;
      default:
        this.#doAt({ command, args }, id, count);
    }
  }

  #doAt({ command, args }: Directive, id: string, count: number): void {
    const cluster = this.#cluster;
    switch (command) {
      case "propose":
        for (let at = 0; at < count; at += 1) {
          const text = (args.get("data") ?? "x").replace("#", String(at));
          const data = Uint8Array.from([1, ...[...text].map((letter) => letter.charCodeAt(0))]);
          cluster.give(id, { type: "propose", data });
        }
        return;
      case "change":
        cluster.give(id, { type: "changeMembers", change: changeOf(args) });
        return;
      case "transfer":
        cluster.give(id, { type: "transfer", to: args.get("to") ?? "" });
        return;
      case "read":
        for (const each of list(args, "read")) cluster.give(id, { type: "read", id: Number(each) });
        return;
      case "lost":
        cluster.give(id, { type: "peerLost", peer: args.get("peer") ?? "" });
        return;
      case "load":
        cluster.give(id, { type: "load", timeoutMult: Number(args.get("mult")) });
        return;
      case "stepDown":
        cluster.give(id, { type: "stepDown" });
        return;
      case "crash":
        cluster.crash(id);
        return;
      case "restart":
        cluster.restart(id);
        this.#output.push(describeState(cluster.node(id).state));
        return;
      case "slowDisk":
        cluster.node(id).slowDisk = true;
        return;
      case "fastDisk":
        cluster.node(id).slowDisk = false;
        cluster.sync(id, cluster.node(id).writes.length);
        return;
      case "sync":
        cluster.sync(id, count);
        return;
      case "compact": {
        const index = Number(args.get("index"));
        cluster.compact(id, index, Number(args.get("first") ?? index + 1));
        return;
      }
      default:
        this.#show({ command, args });
    }
  }

  #show({ command, args }: Directive): void {
    for (const id of list(args, "id")) {
      const { state, applied } = this.#cluster.node(id);
      switch (command) {
        case "state":
          this.#output.push(describeState(state));
          break;
        case "log": {
          const entries = entriesOf(state.log, state.log.firstIndex, state.log.lastIndex);
          const texts = entries.map((each) => `${each.index}/${each.term}:${dataText(each)}`);
          this.#output.push(`${id}: ${texts.join(" ")}`);
          break;
        }
        case "applied":
          this.#output.push(`${id}: ${applied.join(" ")}`);
          break;
        case "configuration":
          this.#output.push(`${id}: ${describeConfiguration(state.configuration)}`);
          break;
        case "vote":
          this.#output.push(`${id}: term ${state.currentTerm}, vote ${state.votedFor ?? "none"}`);
          break;
        case "progress":
          for (const [to, { mode, matchIndex, nextIndex, inflight }] of state.progress) {
            const window = `match=${matchIndex} next=${nextIndex} inflight=${inflight.length}`;
            this.#output.push(`${id}→${to} ${mode} ${window}`);
          }
          break;
        default:
          throw new Error(`no command ${command}`);
      }
    }
  }

  #members(args: ReadonlyMap<string, string>): void {
    const configuration = configurationOf(list(args, "voters"), list(args, "learners"));
    for (const id of list(args, args.has("start") ? "start" : "voters")) {
      const empty = configurationOf([]);
      const mine = args.has("waiting") ? empty : configuration;
      this.#cluster.start(id, mine, optionsOf(args), Number(args.get("seed") ?? "1"));
    }
    if (args.has("chunk")) this.#cluster.chunkBytes = Number(args.get("chunk"));
    if (args.has("slowDisk")) {
      for (const node of this.#cluster.nodes.values()) node.slowDisk = true;
    }
  }

  /** Cuts one way with `from` and `to`; all ways to and from the members of `id` without. */
  #cut(args: ReadonlyMap<string, string>): void {
    const { cut, nodes } = this.#cluster;
    for (const from of list(args, "from")) {
      for (const to of list(args, "to")) cut.add(`${from}→${to}`);
    }
    const apart = list(args, "id");
    for (const one of apart) {
      for (const other of nodes.keys()) {
        if (apart.includes(other)) continue;
        cut.add(`${one}→${other}`);
        cut.add(`${other}→${one}`);
      }
    }
    this.#cluster.network = this.#cluster.network.filter(
      ({ from, to }) => !cut.has(`${from}→${to}`),
    );
  }

  /** Takes the messages that match off the network, `n` at most. */
  #take(args: ReadonlyMap<string, string>): readonly Message[] {
    const limit = Number(args.get("n") ?? "1000");
    const taken = this.#cluster.network.filter((each) => matches(each, args)).slice(0, limit);
    this.#cluster.network = this.#cluster.network.filter((each) => !taken.includes(each));
    return taken;
  }
}

function matches(message: Message, args: ReadonlyMap<string, string>): boolean {
  return (["from", "to", "type"] as const).every(
    (key) => !args.has(key) || list(args, key).includes(message[key]),
  );
}

function list(args: ReadonlyMap<string, string>, key: string): readonly string[] {
  return (args.get(key) ?? "").split(",").filter((each) => each !== "");
}

function optionsOf(args: ReadonlyMap<string, string>): Record<string, number> {
  const names = ["appendBytesMax", "inflightMax", "uncommittedBytesMax", "promoteLagMax"];
  const given = [...names, "leaseDrift"].filter((name) => args.has(name));
  return Object.fromEntries(given.map((name) => [name, Number(args.get(name))]));
}

function changeOf(args: ReadonlyMap<string, string>) {
  const member = (id: string, voter: boolean) => {
    const [name = "", address = `${name}:1`] = id.split("@");
    return { id: name, address, voter };
  };
  return {
    add: [
      ...list(args, "learner").map((id) => member(id, false)),
      ...list(args, "voter").map((id) => member(id, true)),
    ],
    promote: list(args, "promote"),
    remove: list(args, "remove"),
  };
}

/** A message made by hand, of another member or of one that misbehaves. */
function messageOf(args: ReadonlyMap<string, string>): Message {
  const number = (key: string) => Number(args.get(key) ?? "0");
  const pair = (key: string) => (args.get(key) ?? "0/0").split("/").map(Number);
  const envelope = {
    from: args.get("from") ?? "",
    to: args.get("to") ?? "",
    term: number("term"),
  };
  const round = number("round");
  switch (args.get("type")) {
    case "requestVote": {
      const [lastIndex = 0, lastTerm = 0] = pair("last");
      const [preVote, transfer] = [args.has("preVote"), args.has("transfer")];
      return { type: "requestVote", ...envelope, preVote, transfer, lastIndex, lastTerm };
    }
    case "voteResponse": {
      const [preVote, granted] = [args.has("preVote"), args.has("granted")];
      return { type: "voteResponse", ...envelope, preVote, granted };
    }
    case "append": {
      const [prevIndex = 0, prevTerm = 0] = pair("prev");
      const entries = list(args, "entries").map((term, at) => ({
        index: prevIndex + 1 + at,
        term: Number(term),
        data: Uint8Array.from([1, 109]),
      }));
      const commitIndex = number("commit");
      return { type: "append", ...envelope, prevIndex, prevTerm, entries, commitIndex, round };
    }
    case "appendResponse": {
      const matchIndex = args.has("match") ? number("match") : null;
      const [hintIndex = 0, hintTerm = 0] = pair("hint");
      const rejectedIndex = number("refused");
      const rest = { round, matchIndex, rejectedIndex, hintIndex, hintTerm };
      return { type: "appendResponse", ...envelope, ...rest };
    }
    case "heartbeat":
      return {
        type: "heartbeat",
        ...envelope,
        commitIndex: number("commit"),
        round,
        timeoutMult: 1,
      };
    case "heartbeatResponse":
      return { type: "heartbeatResponse", ...envelope, round, timeoutMult: number("mult") || 1 };
    case "timeoutNow":
      return { type: "timeoutNow", ...envelope };
    case "snapshotChunk": {
      const [index = 0, term = 0] = pair("snapshot");
      const snapshot = { index, term, configuration: configurationOf(list(args, "voters")) };
      const text = args.get("data") ?? "";
      const data = Uint8Array.from([...text].map((letter) => letter.charCodeAt(0)));
      const rest = { offset: number("offset"), data, done: args.has("done"), round };
      return { type: "snapshotChunk", ...envelope, snapshot, ...rest };
    }
    default:
      throw new Error(`no message ${args.get("type")}`);
  }
}

const scripts = readdirSync(directory).filter((name) => name.endsWith(".txt"));

test.each(scripts.sort())("%s", (name) => {
  const file = new URL(name, directory);
  const before = readFileSync(file, "utf8");
  const after = replay(before);
  if (process.env["REWRITE"] === "1") writeFileSync(file, after);
  else expect(after).toBe(before);
});

test("there are scripts, and a command in each", () => {
  expect(scripts.length).toBeGreaterThanOrEqual(60);
  for (const name of scripts) {
    const text = readFileSync(new URL(name, directory), "utf8");
    assert(text.includes("\n----\n"), `${name} expects nothing`);
  }
});
