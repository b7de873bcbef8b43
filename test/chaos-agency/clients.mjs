import { setTimeout as delay } from "node:timers/promises";
import { createRandom } from "../chaos/random.mjs";
import { Api } from "./api.mjs";

const clientCount = 8;
const pauseMsMax = 5;
/** After an answer that was none: or an outage would fill the history with operations whose fate is not known. */
const backOffMs = 100;

const kinds = [
  ["read", 30],
  ["readPair", 8],
  ["write", 26],
  ["cas", 18],
  ["swap", 8],
  ["append", 7],
  ["readList", 3],
];

/** Starts eight clients; `stop` gives what they did, once each has ended what it was doing. */
export function startClients({ seed, network, memberCount, history, keys, violate }) {
  let isStopped = false;
  const since = performance.now();
  const runs = Array.from({ length: clientCount }, async (_, client) => {
    const random = createRandom(seed * 1_009 + client);
    const api = new Api({ network, memberCount, violate });
    const worker = new Worker({ client, random, api, history, keys, memberCount });
    await delay(client);
    while (!isStopped) {
      const isAnswered = await worker.next();
      await delay(isAnswered ? random.between(0, pauseMsMax) : backOffMs);
    }
    api.close();
  });
  return {
    stop: async () => {
      isStopped = true;
      await Promise.all(runs);
      return (performance.now() - since) / 1_000;
    },
  };
}

class Worker {
  #options;
  #count = 0;

  constructor(options) {
    this.#options = options;
  }

  /** One operation; true when it was answered. */
  async next() {
    const { random, keys } = this.#options;
    const kind = random.weighted(kinds);
    if (kind === "append") return this.#append(keys.listToExtend(random));
    if (kind === "readList") return this.#read([keys.listToRead(random)], "list");
    const pair = keys.pair(random);
    const key = random.pick(pair);
    switch (kind) {
      case "read":
        return this.#read([key], "register");
      case "readPair":
        return this.#read(pair, "register");
      case "write":
        return this.#write({ type: "write", key, value: this.#newValue() });
      case "cas":
        return this.#write({
          type: "cas",
          key,
          expected: keys.guess(key),
          value: this.#newValue(),
        });
      default: {
        const required = [{ key, value: keys.guess(key) }];
        const set = pair.map((each) => ({ key: each, value: this.#newValue() }));
        return this.#write({ type: "txn", required, set });
      }
    }
  }

  async #read(asked, object) {
    const { api, history, keys } = this.#options;
    const call = this.#begin(object);
    const found = await api.read(this.#member(), [asked]);
    const end = history.now();
    const values = found?.[0];
    const outcome = values === undefined ? "unknown" : "ok";
    for (const [at, key] of asked.entries()) if (values) keys.learn(key, values[at]);
    const required = asked.map((key, at) => ({ key, value: values?.[at] ?? null }));
    if (asked.length > 1) history.add({ ...call, end, type: "txn", required, set: [], outcome });
    else history.add({ ...call, end, type: "read", ...required[0], outcome });
    return outcome === "ok";
  }

  async #write(operation) {
    const { api, history, keys } = this.#options;
    const { required, set } = asTransaction(operation);
    const call = this.#begin("register");
    const outcome = await api.write(
      this.#member(),
      Object.fromEntries(set.map(({ key, value }) => [key, { op: "set", new: value }])),
      required && Object.fromEntries(required.map(({ key, value }) => [key, condition(value)])),
    );
    history.add({ ...call, end: history.now(), ...operation, outcome });
    if (outcome === "ok") for (const { key, value } of set) keys.learn(key, value);
    return outcome === "ok" || outcome === "failed";
  }

  async #append(key) {
    const { api, history } = this.#options;
    const call = this.#begin("list");
    const value = this.#newValue();
    const outcome = await api.write(this.#member(), { [key]: { op: "push", new: value } });
    history.add({ ...call, end: history.now(), type: "append", key, value, outcome });
    return outcome === "ok";
  }

  #begin(object) {
    return { client: this.#options.client, object, start: this.#options.history.now() };
  }

  /** Mostly the last leader; now and then any member, which may be one that does not know that it is deposed. */
  #member() {
    const { random, memberCount } = this.#options;
    const drawn = random.between(0, 9 * memberCount);
    return drawn < memberCount ? drawn : undefined;
  }

  #newValue() {
    this.#count += 1;
    return `c${this.#options.client}-${this.#count}`;
  }
}

/** What a write requires and sets, whatever its type. */
export function asTransaction(operation) {
  const { type, key, value, expected } = operation;
  if (type === "txn") return { required: operation.required, set: operation.set };
  return {
    required: type === "cas" ? [{ key, value: expected }] : undefined,
    set: [{ key, value }],
  };
}

function condition(value) {
  return value === null ? { oldEmpty: true } : { old: value };
}
