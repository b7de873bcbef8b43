import { Asker } from "./request.mjs";

/** What a client may be told without anything being wrong with the member that says it. */
const expectedStatuses = new Set([200, 307, 408, 412, 503]);

/** The agency as one client sees it: each request goes to one member, and to the leader that it names; never again. */
export class Api {
  #asker = new Asker();
  #network;
  #violate;
  #memberCount;
  #leader;
  #next = 0;

  constructor({ network, memberCount, violate }) {
    this.#network = network;
    this.#memberCount = memberCount;
    this.#violate = violate;
  }

  /** Gives what became of it: `ok`, `failed` (a precondition), `refused` (nothing was done) or `unknown`. */
  async write(at, operations, preconditions) {
    const transaction = preconditions === undefined ? [operations] : [operations, preconditions];
    const answer = await this.#ask(at, "/_api/agency/write", [transaction]);
    if (answer.type === "unsent" || answer.status === 307) return "refused";
    if (answer.status !== 200 && answer.status !== 412) return "unknown";
    const index = JSON.parse(answer.text).results[0];
    if (answer.status === 200 && index > 0) return "ok";
    if (answer.status === 412 && index === 0 && preconditions !== undefined) return "failed";
    this.#violate(`a write was answered ${answer.status} ${answer.text}`);
    return "unknown";
  }

  /** Gives the value of each key of each transaction, or undefined when there was no answer. */
  async read(at, transactions) {
    const answer = await this.#ask(at, "/_api/agency/read", transactions);
    if (answer.status !== 200) return undefined;
    const trees = JSON.parse(answer.text);
    return transactions.map((keys, place) => keys.map((key) => valueAt(trees[place], key)));
  }

  close() {
    this.#asker.close();
  }

  /** To the member; when `at` is undefined to the last leader, or to one after the other while there is none. */
  async #ask(at, path, body) {
    const address =
      at === undefined ? (this.#leader ?? this.#nextMember()) : this.#network.listenOf(at);
    const first = await this.#asker.ask(address, path, body);
    const answer = first.status === 307 ? await this.#follow(first, path, body) : first;
    if (answer.type !== "answer" || answer.status === 307 || answer.status >= 500)
      this.#leader = undefined;
    if (answer.type === "answer" && !expectedStatuses.has(answer.status))
      this.#violate(`${path} ${JSON.stringify(body)} was answered ${answer.status} ${answer.text}`);
    return answer;
  }

  #nextMember() {
    this.#next = (this.#next + 1) % this.#memberCount;
    return this.#network.listenOf(this.#next);
  }

  async #follow({ location }, path, body) {
    this.#leader = this.#network.clientAddress(new URL(location).host);
    return this.#asker.ask(this.#leader, path, body);
  }
}

/** A read shows a path that is not there as an empty object at the end of what is. */
function valueAt(tree, path) {
  let value = tree;
  for (const segment of path.split("/").slice(1)) value = value?.[segment];
  return value ?? null;
}
