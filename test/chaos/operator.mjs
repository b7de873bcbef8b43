import { setTimeout as delay } from "node:timers/promises";

const retryMs = 200;
const pollMs = 300;
/** The product gives up after two minutes of its own time, which stands still while no node leads. */
const endMs = 300_000;

const actions = [
  ["restart", 3],
  ["check", 3],
  ["status", 2],
  ["stop", 2],
];

/** A person who asks for things all the time, and writes down how each ended. */
export class Operator {
  #cluster;
  #violate;
  #random;
  #isStopping = false;
  #loop;
  #watched = [];
  /** Operation id to how it ended, as it was told first. */
  #ended = new Map();
  #lostAnswers = 0;

  constructor({ cluster, random, violate }) {
    this.#cluster = cluster;
    this.#random = random;
    this.#violate = violate;
    this.#loop = this.#run();
  }

  /** Takes nothing new, and waits until every operation has ended. */
  async stop() {
    this.#isStopping = true;
    await this.#loop;
    await Promise.all(this.#watched);
    const failed = [...this.#ended.values()].filter(({ state }) => state === "failed");
    return { operations: this.#ended.size, failed: failed.length, lostAnswers: this.#lostAnswers };
  }

  /** What was reported as ended must be reported so for ever, and its end must be in the history once. */
  async verify(history) {
    for (const [id, told] of this.#ended) {
      const { status, body } = await this.#cluster
        .asker(this.#cluster.trackingNodes[0])
        .get(operationPath(id));
      const now = status === 200 ? outcome(body) : { status, body };
      if (JSON.stringify(now) !== JSON.stringify(told))
        this.#violate(
          `operation ${id} was told as ${JSON.stringify(told)}, and is ${JSON.stringify(now)} now`,
        );
      const ends = history.operationEnds.get(id) ?? 0;
      if (ends !== 1) this.#violate(`operation ${id} ended ${ends} times in the history`);
    }
  }

  async #run() {
    const random = this.#random;
    while (!this.#isStopping) {
      const action = random.weighted(actions);
      const service = random.pick(["thread", "proc", "mover"]);
      const node = random.pick(this.#cluster.nodeNames);
      const pauseMs = random.between(500, 3_000);
      // What moves has no fixed node to be asked on, and stays as it is.
      const on = service === "mover" ? {} : { on: node };
      if (action === "stop" && service !== "mover") {
        await this.#request("stop", service, on);
        await delay(pauseMs);
        await this.#request("start", service, on);
      } else await this.#request(action === "stop" ? "check" : action, service, on);
      await delay(pauseMs);
    }
  }

  /** Asks until the cluster has said that it took the request. */
  async #request(action, service, body) {
    for (;;) {
      try {
        const path = `/v1/services/${service}/${action}`;
        const answer = await this.#cluster.anyNode.post(path, body);
        if (answer.status === 200 || answer.status === 202) {
          this.#watched.push(this.#watch(answer.body.operation));
          return;
        }
        if (answer.status < 500) {
          this.#violate(`${action} ${service} was refused: ${JSON.stringify(answer.body)}`);
          return;
        }
      } catch {
        // Taken or not: asking for the same again does no harm.
        this.#lostAnswers += 1;
      }
      await delay(retryMs);
    }
  }

  async #watch(id) {
    const deadline = performance.now() + endMs;
    while (performance.now() < deadline) {
      try {
        const { status, body } = await this.#cluster.anyNode.get(operationPath(id));
        if (status === 404) {
          this.#violate(`operation ${id} was taken and is not known: ${JSON.stringify(body)}`);
          return;
        }
        if (status === 200 && body.state !== "running") {
          this.#ended.set(id, outcome(body));
          if (/timed out/.test(body.reason ?? ""))
            this.#violate(
              `operation ${id} (${body.action} ${body.target}) never ended: ${body.reason}`,
            );
          return;
        }
      } catch {
        // Asked again.
      }
      await delay(pollMs);
    }
    this.#violate(`operation ${id} has not ended after ${endMs} ms`);
  }
}

/** Asked of any node; what it says must not be older than the answer to the request. */
function operationPath(id) {
  return `/v1/operations/${encodeURIComponent(id)}?consistent=true`;
}

function outcome({ action, target, state, reason, answers }) {
  return { action, target, state, reason, answers };
}
