import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Machine } from "./testing.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Step = Record<string, Json>;

interface Case {
  readonly id: string;
  readonly gen: string;
  readonly requires?: readonly string[];
  readonly steps: readonly Step[];
}

const file = new URL("../../../test/conformance/agency/cases.jsonl", import.meta.url);
const cases = readFileSync(file, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line): Case => JSON.parse(line));

/** Why a case is not this package's to answer; null when it is. */
function leftOut(one: Case): string | null {
  if (one.gen === ">=3.12") return "another generation of the API";
  for (const need of one.requires ?? []) {
    const reason = needs.get(need);
    if (reason !== undefined) return reason;
  }
  return one.steps.map(whyNot).find((reason) => reason !== null) ?? null;
}

const needs = new Map([
  ["cluster", "several members"],
  ["restart", "a process and its disk"],
  ["compaction", "a log"],
  ["callback-sink", "a sender of notifications"],
  ["poll", "a log"],
  ["no-ttl", "another generation of the API"],
]);

function whyNot(step: Step): string | null {
  const { http } = step;
  if (http === undefined) return null;
  const { method, path, headers } = object(http);
  if (headers !== undefined || step["headerMatches"] !== undefined) return "headers";
  return endpoint(String(method), String(path)) === null ? "routes" : null;
}

function endpoint(method: string, path: string): string | null {
  const name = /^\/_api\/agency\/([a-z]+)$/.exec(path)?.[1] ?? "";
  if (name === "stores") return method === "GET" ? name : null;
  const known = ["read", "write", "transact", "transient", "inquire"].includes(name);
  return known && method === "POST" ? name : null;
}

const kept = cases.filter((one) => leftOut(one) === null);

describe("cases of the API", () => {
  test.each(kept)("$id", (one) => {
    const machine = new Machine();
    const results: Json[][] = [];
    if (one.requires?.includes("fresh") !== true) {
      machine.post("write", '[[{"/":{"op":"set","new":{}}}]]');
    }
    for (const step of one.steps) results.push(run(machine, step, results));
    const [leader, follower] = machine.digests();
    expect(follower).toBe(leader);
  });

  test("what is left out has its reason elsewhere than in the store", () => {
    const reasons = new Map<string, number>();
    for (const one of cases) {
      const reason = leftOut(one);
      if (reason !== null) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect(Object.fromEntries(reasons)).toMatchInlineSnapshot(`
      {
        "a log": 4,
        "a process and its disk": 3,
        "a sender of notifications": 1,
        "another generation of the API": 1,
        "headers": 5,
        "routes": 15,
        "several members": 9,
      }
    `);
  });
});

function run(machine: Machine, step: Step, results: readonly Json[][]): Json[] {
  for (const name of ["write", "read", "transact", "transient", "inquire"]) {
    const body = step[name];
    if (body === undefined) continue;
    const answer = machine.post(name, JSON.stringify(body));
    expect(answer).toMatchObject({ status: step["status"] });
    return checked(JSON.parse(answer.body), step, list(body).length, results);
  }
  if (typeof step["wait"] === "number") machine.now += step["wait"] * 1000;
  if (step["gen"] !== undefined) generate(machine, object(step["gen"]));
  if (step["readGen"] !== undefined) readGenerated(machine, object(step["readGen"]));
  if (step["http"] !== undefined) runHttp(machine, step, object(step["http"]));
  return [];
}

function checked(body: Json, step: Step, count: number, results: readonly Json[][]): Json[] {
  if (step["expect"] !== undefined) expectMatch(body, step["expect"]);
  const got = Array.isArray(body) ? body : object(body)["results"];
  const wanted = step["results"];
  if (wanted !== undefined) {
    expect(resultsMatch(list(got), wanted, count, results), JSON.stringify(body)).toBe(true);
  }
  return list(got);
}

function resultsMatch(got: Json[], want: Json, n: number, results: readonly Json[][]): boolean {
  if (want === "ok") return got.length === n && got.every(isIndex);
  if (!Array.isArray(want)) {
    return list(object(want)["anyOf"]).some((one) => resultsMatch(got, one, n, results));
  }
  return (
    got.length === want.length &&
    want.every((one, i) => {
      if (one === "ok") return isIndex(got[i]);
      if (typeof one === "number") return got[i] === one;
      const { $ref, plus } = object(one);
      const [step, index] = list($ref);
      return got[i] === Number(results[Number(step)]?.[Number(index)]) + Number(plus ?? 0);
    })
  );
}

function isIndex(value: Json | undefined): boolean {
  return typeof value === "number" && value > 0;
}

function expectMatch(got: Json, want: Json): void {
  expect(matches(got, want), `${JSON.stringify(got)} for ${JSON.stringify(want)}`).toBe(true);
}

function matches(got: Json | undefined, want: Json): boolean {
  if (want === null || typeof want !== "object") return got === want;
  if (Array.isArray(want)) {
    return (
      Array.isArray(got) &&
      got.length === want.length &&
      want.every((one, i) => matches(got[i], one))
    );
  }
  if (want["$idx"] === true) return isIndex(got);
  if (want["anyOf"] !== undefined) return list(want["anyOf"]).some((one) => matches(got, one));
  if (got === null || typeof got !== "object" || Array.isArray(got)) return false;
  const keys = Object.keys(want);
  return (
    keys.length === Object.keys(got).length &&
    keys.every((key) => Object.hasOwn(got, key) && matches(got[key], want[key] ?? null))
  );
}

function generate(machine: Machine, { n, perRequest, trx, trx2 }: Record<string, Json>): void {
  let batch: Json[] = [];
  for (let i = 0; i < Number(n); i++) {
    for (const one of [trx, trx2]) if (one !== undefined) batch.push(numbered(one, i));
    if (batch.length < Number(perRequest) && i < Number(n) - 1) continue;
    const answer = machine.post("write", JSON.stringify(batch));
    const indexes = list(object(JSON.parse(answer.body))["results"]);
    expect(answer.status).toBe(200);
    expect(indexes.length === batch.length && indexes.every(isIndex)).toBe(true);
    batch = [];
  }
}

function readGenerated(machine: Machine, step: Record<string, Json>): void {
  const n = Number(step["n"]);
  const paths = Array.from({ length: n }, (_, i) => [numbered(step["path"] ?? "", i)]);
  const answer = list(JSON.parse(machine.post("read", JSON.stringify(paths)).body));
  for (let i = 0; i < n; i++) expectMatch(answer[i] ?? null, numbered(step["expect"] ?? null, i));
}

function numbered(template: Json, i: number): Json {
  return JSON.parse(JSON.stringify(template).replaceAll("{i}", String(i)));
}

function runHttp(machine: Machine, step: Step, { method, path, json, text }: Step): void {
  const name = endpoint(String(method), String(path)) ?? "";
  const sent = typeof text === "string" ? text : JSON.stringify(json);
  const answer =
    name === "stores" ? { status: 200, body: machine.stores() } : machine.post(name, sent);
  const statuses = Array.isArray(step["status"]) ? step["status"] : [step["status"]];
  expect(statuses).toContain(answer.status);
  const body: Json = JSON.parse(answer.body);
  if (step["expect"] !== undefined) expectMatch(body, step["expect"]);
  for (const part of list(step["bodyContains"] ?? [])) expect(answer.body).toContain(part);
  for (const one of list(step["assertions"] ?? [])) {
    const [pointer, operator, value] = list(one);
    expectHolds(at(body, String(pointer)), String(operator), value ?? null);
  }
}

function at(body: Json, pointer: string): Json | undefined {
  let value: Json | undefined = body;
  for (const token of pointer.split("/").slice(1)) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) value = value[Number(key)];
    else if (value !== null && typeof value === "object") value = value[key];
    else return undefined;
  }
  return value;
}

function expectHolds(got: Json | undefined, operator: string, value: Json): void {
  if (operator === "gt") expect(got).toBeGreaterThan(Number(value));
  else if (operator === "matches") expect(got).toMatch(new RegExp(String(value)));
  else if (operator === "type") expect(Array.isArray(got) ? "array" : typeof got).toBe(value);
  else expect(compares(got, operator, value), `${operator} ${JSON.stringify(value)}`).toBe(true);
}

function compares(got: Json | undefined, operator: string, value: Json): boolean {
  switch (operator) {
    case "eq":
      return matches(got, value);
    case "contains":
      return list(got).some((one) => matches(one, value));
    case "notContains":
      return !list(got).some((one) => matches(one, value));
    case "count": {
      const [wanted, count] = list(value);
      return list(got).filter((one) => matches(one, wanted ?? null)).length === count;
    }
    default:
      throw new Error(`no operator ${operator}`);
  }
}

function object(value: Json | undefined): Record<string, Json> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error(`no object: ${JSON.stringify(value)}`);
  }
  return value;
}

function list(value: Json | undefined): Json[] {
  if (!Array.isArray(value)) throw new Error(`no array: ${JSON.stringify(value)}`);
  return value;
}
