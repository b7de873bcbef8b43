import { entriesOf } from "@halon/coordinator";
import { createGraph, toJSON } from "@halon/graph";
import type { DecisionRecord, EventEntry } from "@halon/protocol";
import { expect, test } from "vitest";
import { createPorts, type PortsOptions } from "./ports.ts";
import { Replica } from "./replica.ts";
import { until } from "./testing.ts";

/** A record of `events` decisions without an effect. */
function record(index: number, events = 1): DecisionRecord {
  const decisions = Array.from({ length: events }, (_, position) => ({
    event: {
      id: `${index}-${position}`,
      type: "Said",
      version: 1,
      source: "client/x",
      data: { n: position },
    },
    origin: { type: "client" as const, id: `${index}-${position}` },
    settles: null,
    firings: [],
    dead: null,
  }));
  return { index, epoch: 1, revision: 0, logTime: index, wallTime: index, decisions };
}

/** A node that follows the log: its replica, its history, and whether that can be read. */
function node(role: PortsOptions["role"]) {
  const replica = new Replica(() => performance.now());
  const all: EventEntry[] = [];
  const state = { isReadable: true };
  const unused = (): never => {
    throw new Error("not asked here");
  };
  const ports = createPorts({
    role,
    replica,
    blobs: { put: unused, missing: unused },
    logs: { tail: unused, follow: unused },
    identity: unused,
    hello: unused,
    starting: () => null,
    leader: () => null,
    leads: () => false,
    coordinator: unused,
    history: async ({ after, limit }) => {
      if (!state.isReadable) throw new Error("no coordinator just now");
      return all.filter((entry) => after === undefined || isBehind(entry, after)).slice(0, limit);
    },
    send: unused,
    processor: () => undefined,
    notReady: () => null,
    shutdown: unused,
  });
  return {
    ports,
    replica,
    state,
    /** Only into the history, as on a satellite and before a snapshot of another. */
    write: (one: DecisionRecord) => all.push(...entriesOf(one)),
    commit(one: DecisionRecord) {
      all.push(...entriesOf(one));
      replica.apply({ index: one.index, epoch: 1, revision: 0, changes: [] });
      replica.events.emit("entries", entriesOf(one));
    },
  };
}

function isBehind(entry: EventEntry, after: { index: number; position: number }): boolean {
  return (
    entry.index > after.index || (entry.index === after.index && entry.position > after.position)
  );
}

/** What a stream has given, as the ids that clients see. */
function listen(of: ReturnType<typeof node>, after?: { index: number; position: number }) {
  const ids: string[] = [];
  const end = of.ports.subscribeEvents(after, ({ index, position }) =>
    ids.push(`${index}.${position}`),
  );
  return { ids, end };
}

test("a stream goes on from the same place on any node, with the same ids", async () => {
  const tracking = node("tracking");
  const satellite = node("satellite");
  const records = [record(1, 2), record(2), record(3, 3)];
  for (const one of records) {
    tracking.commit(one);
    satellite.write(one);
  }
  const streams = [tracking, satellite].map((of) => listen(of, { index: 1, position: 0 }));
  const ids = ["1.1", "2.0", "3.0", "3.1", "3.2", "4.0"];
  tracking.commit(record(4));
  satellite.write(record(4));
  for (const { ids: given, end } of streams) {
    await until("all entries", () => given.length === ids.length);
    end();
    expect(given).toEqual(ids);
  }
});

test("records that came in a snapshot of another node are told from the journal, in order", async () => {
  const { ports, replica, commit, write, state } = node("tracking");
  commit(record(1));
  const { ids, end } = listen({ ports, replica, commit, write, state });
  commit(record(2));
  state.isReadable = false;
  write(record(3));
  write(record(4));
  replica.reset(toJSON(createGraph()), 4, 2);
  commit(record(5));
  expect(ids).toEqual(["2.0"]);
  state.isReadable = true;
  await until("what was passed over", () => ids.length === 4);
  end();
  expect(ids).toEqual(["2.0", "3.0", "4.0", "5.0"]);
});

test("a stream that has ended is told nothing more", () => {
  const of = node("tracking");
  const { ids, end } = listen(of);
  of.commit(record(1));
  end();
  of.commit(record(2));
  expect(ids).toEqual(["1.0"]);
});
