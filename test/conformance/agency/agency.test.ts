import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanUp, temporaryDirectory, waitFor } from "../../e2e/cluster.ts";
import { type Assertion, fault, fits, indexesFit, type Json, type Results } from "./compare.ts";
import { configOf, kill, leaderOf, type Member, restart, startAgency } from "./members.ts";

interface Http {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: Json;
  readonly text?: string;
}

type On = "leader" | "follower" | "any";

/** One line of `cases.jsonl`; steps have the fields of their kind. */
interface Case {
  readonly id: string;
  readonly gen: string;
  readonly requires?: readonly string[];
  readonly steps: readonly Step[];
}

interface Step {
  readonly write?: readonly Json[];
  readonly read?: Json;
  readonly transact?: Json;
  readonly transient?: Json;
  readonly inquire?: readonly string[];
  readonly http?: Http;
  readonly on?: On;
  readonly gen?: {
    readonly n: number;
    readonly perRequest: number;
    readonly trx: Json;
    readonly trx2?: Json;
  };
  readonly readGen?: { readonly n: number; readonly path: string; readonly expect: Json };
  readonly wait?: number;
  readonly background?: { readonly http: Http };
  readonly as?: string;
  readonly join?: string;
  readonly sink?: string;
  readonly within?: number;
  readonly cluster?: string;
  readonly trx?: Json;
  readonly ids?: readonly string[];
  readonly status?: number | readonly number[];
  readonly results?: Json;
  readonly expect?: Json;
  readonly assertions?: readonly Assertion[];
  readonly bodyContains?: readonly string[];
  readonly headerMatches?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const all = readFileSync(new URL("cases.jsonl", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Case);
/** The generation that RFC 0005 names; later ones dropped TTLs. */
const ours = all.filter(({ gen }) => gen !== ">=3.12");
const isFresh = ({ requires }: Case) => requires?.includes("fresh") === true;
// What needs a store that nobody has emptied yet comes first.
const cases = [...ours.filter(isFresh), ...ours.filter((one) => !isFresh(one))];

let members: readonly Member[] = [];
/** Where requests go first. */
let entry = "";
let sink: Server;
const received = new Map<string, Json[]>();

beforeAll(async () => {
  members = await startAgency(temporaryDirectory(), 3);
  entry = (await leaderOf(members)).endpoint;
  sink = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const path = request.url ?? "";
      received.set(path, [...(received.get(path) ?? []), JSON.parse(body)]);
      response.end();
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  sink?.close();
  await cleanUp();
});

test.each(cases.map((one) => [one.id, one] as const))("%s", async (_, one) => {
  if (!isFresh(one)) {
    for (const name of ["write", "transient"]) {
      await ask(name, [[{ "/": { op: "set", new: {} } }]]);
    }
  }
  const run = new Run();
  try {
    for (const [at, step] of one.steps.entries()) await run.step(at, step, one.steps[at - 1]);
  } finally {
    await run.heal();
  }
});

test("every case that was copied is run, but those of later generations", () => {
  expect(all.length - cases.length).toBe(1);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
});

/** One case on its way. */
class Run {
  readonly #results = new Map<number, readonly number[]>();
  readonly #background = new Map<string, Promise<Answer>>();
  readonly #dead: Member[] = [];
  #trx: Json = [];

  async step(at: number, step: Step, before: Step | undefined): Promise<void> {
    const told = `step ${at}`;
    if (step.wait !== undefined) {
      // Without a majority the leader notices by itself; how long it takes is not the rule.
      if (before?.cluster === "killAllButOne") await this.#leaderless();
      else await delay(step.wait * 1_000);
    } else if (step.gen !== undefined) await generate(step.gen);
    else if (step.readGen !== undefined) await readGenerated(step.readGen, this.#results);
    else if (step.cluster !== undefined) await this.#cluster(step.cluster, step);
    else if (step.sink !== undefined) await this.#sunk(step);
    else if (step.background !== undefined) {
      this.#background.set(step.as ?? "", this.#http(step.background.http, undefined));
    } else if (step.join !== undefined) {
      this.#check(told, step, (await this.#background.get(step.join)) ?? absent);
    } else if (step.http !== undefined) {
      this.#check(told, step, await this.#http(step.http, step.on));
    } else this.#body(at, step, await this.#call(step));
  }

  /** Brings back who was killed, so that the next case finds a whole agency. */
  async heal(): Promise<void> {
    await Promise.all(this.#dead.splice(0).map(restart));
    entry = (await leaderOf(members)).endpoint;
  }

  #call({ write, read, transact, transient, inquire }: Step): Promise<Answer> {
    if (write !== undefined) return post("write", write);
    if (read !== undefined) return ask("read", read);
    if (transact !== undefined) return post("transact", transact);
    if (transient !== undefined) return post("transient", transient);
    if (inquire !== undefined) return ask("inquire", inquire);
    throw new Error("a step of no known kind");
  }

  #body(at: number, step: Step, answer: Answer): void {
    this.#check(`step ${at}`, { ...step, assertions: [] }, answer);
    const body = JSON.parse(answer.text) as Json;
    const count = (step.write ?? step.inquire)?.length;
    if (count === undefined) {
      this.#results.set(at, body as readonly number[]);
      return;
    }
    const { results } = body as { readonly results: readonly number[] };
    const isAsExpected = indexesFit(results, step.results ?? "ok", count, this.#results);
    expect({ at, isAsExpected, results, wanted: step.results }).toMatchObject({
      isAsExpected: true,
    });
    this.#results.set(at, results);
  }

  #check(told: string, step: Step, { status, headers, text }: Answer): void {
    const allowed = [step.status ?? 200].flat();
    expect({
      told,
      text: text.slice(0, 300),
      status,
      allowed: allowed.includes(status),
    }).toMatchObject({
      allowed: true,
    });
    const { assertions = [], bodyContains = [], headerMatches = {} } = step;
    if (step.expect !== undefined) {
      const got = JSON.parse(text) as Json;
      const isAsExpected = fits(got, step.expect, this.#results);
      expect({ told, isAsExpected, got, wanted: step.expect }).toMatchObject({
        isAsExpected: true,
      });
    }
    for (const one of assertions) expect(fault(JSON.parse(text), one, this.#results)).toBeNull();
    for (const part of bodyContains) expect(text).toContain(part);
    for (const [name, pattern] of Object.entries(headerMatches)) {
      expect(headers.get(name)).toMatch(new RegExp(pattern));
    }
  }

  async #http(http: Http, on: On | undefined): Promise<Answer> {
    const path = http.path.replace(/\$\{(\d+)\.(\d+)(?:\+(\d+))?\}/g, (_, step, at, plus) =>
      String((this.#results.get(Number(step))?.[Number(at)] ?? 0) + Number(plus ?? 0)),
    );
    const body = http.text ?? (http.json === undefined ? undefined : JSON.stringify(http.json));
    const init = {
      method: http.method,
      headers: { "Content-Type": "application/json", ...http.headers },
      ...(body === undefined ? {} : { body }),
    };
    if (on === undefined) return send(entry, path, init);
    return answerOf(
      await fetch((await this.#chosen(on)).endpoint + path, { ...init, redirect: "manual" }),
    );
  }

  async #chosen(on: On): Promise<Member> {
    const running = members.filter((member) => !this.#dead.includes(member));
    if (on === "any") return running[0] ?? missingMember();
    const leader = await leaderOf(running);
    return on === "leader" ? leader : (running.find((one) => one !== leader) ?? missingMember());
  }

  async #sunk({ sink: path = "", within = 5, assertions = [] }: Step): Promise<void> {
    const [body] = await waitFor(`a call of ${path}`, () => received.get(path), within * 1_000);
    for (const one of assertions) expect(fault(body ?? null, one, this.#results)).toBeNull();
  }

  async #leaderless(): Promise<void> {
    const survivor = await this.#chosen("any");
    await waitFor(
      "the survivor to know no leader",
      async () => (await configOf(survivor)).leaderId === "",
    );
  }

  async #cluster(action: string, step: Step): Promise<void> {
    switch (action) {
      case "killAllAndRestart":
        await this.#kill(members);
        return this.heal();
      case "killLeader":
        return this.#kill([await this.#chosen("leader")]);
      case "killFollower":
        return this.#kill([await this.#chosen("follower")]);
      case "killAllButOne":
        return this.#kill(members.slice(1));
      case "restartKilled":
      case "waitLeader": {
        if (action === "restartKilled") await Promise.all(this.#dead.splice(0).map(restart));
        entry = (await this.#chosen("leader")).endpoint;
        return;
      }
      case "waitEqualCommitIndex":
        await waitFor("equal commit indexes", async () => {
          const indexes = (await Promise.all(members.map(configOf))).map((one) => one.commitIndex);
          return new Set(indexes).size === 1;
        });
        return;
      case "writeBatchAndKillLeader": {
        this.#trx = step.trx ?? [];
        const leader = await this.#chosen("leader");
        const body = JSON.stringify(this.#trx);
        const written = fetch(`${leader.endpoint}/_api/agency/write`, { method: "POST", body });
        // Whether it is answered is left to chance; what is asked later must fit either.
        await Promise.all([written.catch(() => undefined), this.#kill([leader])]);
        return;
      }
      case "inquireThenRetry": {
        const { text } = await ask("inquire", step.ids ?? []);
        const { results } = JSON.parse(text) as { readonly results: readonly number[] };
        const unknown = (this.#trx as readonly Json[]).filter((_, at) => results[at] === 0);
        if (unknown.length > 0) expect((await post("write", unknown)).status).toBe(200);
        return;
      }
      default:
        throw new Error(`no action ${action}`);
    }
  }

  async #kill(some: readonly Member[]): Promise<void> {
    this.#dead.push(...some);
    await Promise.all(some.map(kill));
  }
}

const absent: Answer = { status: 0, headers: new Headers(), text: "" };

function missingMember(): never {
  throw new Error("no member runs");
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Sends a request, to the leader after a redirect. `fetch` sends the body again after 307. */
async function send(origin: string, path: string, init: RequestInit): Promise<Answer> {
  return answerOf(await fetch(origin + path, { ...init, signal: AbortSignal.timeout(60_000) }));
}

function post(name: string, body: unknown): Promise<Answer> {
  const { port } = sink.address() as AddressInfo;
  const text = JSON.stringify(body).replaceAll("$SINK", `http://127.0.0.1:${port}`);
  return send(entry, `/_api/agency/${name}`, { method: "POST", body: text });
}

/** A question or a reset, which does no harm twice: on a busy machine a leader may be lost at any time. */
function ask(name: string, body: unknown): Promise<Answer> {
  return waitFor(`an answer to ${name}`, async () => {
    const answer = await post(name, body);
    if (answer.status !== 503) return answer;
    entry = (await leaderOf(members)).endpoint;
    throw new Error(answer.text);
  });
}

async function generate({ n, perRequest, trx, trx2 }: NonNullable<Step["gen"]>): Promise<void> {
  let batch: Json[] = [];
  for (let at = 0; at < n; at++) {
    batch.push(numbered(trx, at), ...(trx2 === undefined ? [] : [numbered(trx2, at)]));
    if (batch.length < perRequest && at < n - 1) continue;
    await writeAll(batch);
    batch = [];
  }
}

/** Writes until everything is applied: a leader may be lost under so much, and then its clients inquire and go on. */
async function writeAll(batch: readonly Json[]): Promise<void> {
  let left = batch;
  while (left.length > 0) {
    const { status, text } = await post("write", left);
    if (status === 200) {
      const { results } = JSON.parse(text) as { readonly results: readonly number[] };
      expect(results.filter((one) => one > 0)).toHaveLength(left.length);
      return;
    }
    expect({ status, text }).toEqual({ status: 503, text: expect.any(String) });
    entry = (await leaderOf(members)).endpoint;
    left = await unknownOf(left);
  }
}

/** Those that the log does not have; all of those without a client id, as they only set values. */
async function unknownOf(transactions: readonly Json[]): Promise<readonly Json[]> {
  const idOf = (one: Json | undefined) => (one as readonly Json[])[2];
  if (idOf(transactions[0]) === undefined) return transactions;
  const { text } = await ask("inquire", transactions.map(idOf));
  const { results } = JSON.parse(text) as { readonly results: readonly number[] };
  return transactions.filter((_, at) => results[at] === 0);
}

async function readGenerated(
  { n, path, expect: wanted }: NonNullable<Step["readGen"]>,
  results: Results,
): Promise<void> {
  const paths = Array.from({ length: n }, (_, at) => [path.replaceAll("{i}", String(at))]);
  const got = JSON.parse((await ask("read", paths)).text) as readonly Json[];
  const wrong = got.findIndex((one, at) => !fits(one, numbered(wanted, at), results));
  expect({ wrong, got: got[wrong] }).toEqual({ wrong: -1, got: undefined });
}

function numbered(value: Json, at: number): Json {
  return JSON.parse(JSON.stringify(value).replaceAll("{i}", String(at))) as Json;
}
