import { expect, test } from "vitest";
import { EventQueue, eventsWaitingMax, type NodeEvent } from "./event-queue.ts";

function event(type: string, instance = "web@node-1#1"): NodeEvent {
  return { type, version: 1, data: { instance } };
}

function types(numbered: ReturnType<EventQueue["number"]>): readonly string[] {
  return numbered.map(({ sequence, event: { type } }) => `${sequence} ${type}`);
}

test("failures get their numbers before telemetry", () => {
  const queue = new EventQueue();
  queue.add(event("ServiceHealthChanged"));
  queue.add(event("ServiceFailed"));
  expect(types(queue.number())).toEqual(["1 ServiceFailed", "2 ServiceHealthChanged"]);
});

test("of one instance only the latest health waits", () => {
  const queue = new EventQueue();
  for (let i = 0; i < 5; i += 1) queue.add(event("ServiceHealthChanged"));
  queue.add(event("ServiceHealthChanged", "ping@node-1#1"));
  expect(queue.size).toBe(2);
});

test("an acknowledgement forgets everything up to its number and nothing behind it", () => {
  const queue = new EventQueue();
  for (const type of ["ServiceFailed", "ServiceStopped", "ServiceStarted"]) queue.add(event(type));
  queue.number();
  queue.acknowledge(2);
  expect(types(queue.unacknowledged)).toEqual(["3 ServiceStarted"]);
});

test("after a reconnect everything behind the coordinator's watermark is sent again under its old number", () => {
  const queue = new EventQueue();
  for (const type of ["ServiceFailed", "ServiceStopped", "ServiceStarted"]) queue.add(event(type));
  queue.number();
  expect(types(queue.resume(1))).toEqual(["2 ServiceStopped", "3 ServiceStarted"]);
});

test("a coordinator whose log is new gets what waits under new numbers from 1", () => {
  const queue = new EventQueue();
  for (const type of ["ServiceFailed", "ServiceStopped", "ServiceStarted"]) queue.add(event(type));
  queue.number();
  queue.acknowledge(2);
  expect(types(queue.resume(0))).toEqual(["1 ServiceStarted"]);
  queue.add(event("ServiceFailed"));
  expect(types(queue.number())).toEqual(["2 ServiceFailed"]);
});

test("a full queue says so", () => {
  const queue = new EventQueue();
  for (let i = 0; i < eventsWaitingMax; i += 1) queue.add(event("ServiceFailed"));
  expect(queue.add(event("ServiceFailed"))).toBe(false);
});

test("a node can say that it comes, what runs on it, and that it leaves however many events wait; that has a bound too", () => {
  const queue = new EventQueue();
  while (queue.add(event("ServiceFailed"))) queue.number();
  for (const type of ["NodeJoined", "NodeInventory", "NodeLeft"])
    expect(queue.add(event(type))).toBe(true);
  while (queue.add(event("NodeJoined"))) queue.number();
  expect(queue.size).toBe(eventsWaitingMax + 100);
});
