import { setTimeout as delay } from "node:timers/promises";
import { HalonError } from "@halon/protocol";
import { type Connections, openConnections } from "./client-connection.ts";

/** A request, wherever the leader is. */
export interface Errand {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  /** Twice does no harm: after a lost connection, and after a silence, it is sent again. */
  readonly isRepeatable: boolean;
  /** The answer may take long: a silent member is waited for until the deadline. */
  readonly isPatient?: boolean;
}

/** An answer of the member that would not send it on, or that what became of the request is not known. */
export type Fate =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly text: string;
      /** Who answered. */
      readonly origin: string;
    }
  /** `isOver`: it took place by now or never will, if not at `origin` then nowhere. */
  | {
      readonly type: "unknown";
      readonly why: string;
      readonly origin: string;
      readonly isOver: boolean;
    };

/** Finds the leader, and tells what may be tried again. */
export interface Router {
  /** `deadline`: by `performance.now()`. Errors: HAL_NO_LEADER, HAL_UNREACHABLE, HAL_TIMEOUT. */
  send(errand: Errand, deadline: number): Promise<Fate>;
  close(): void;
}

/** Two members that each believe the other to lead must not keep a client for ever. */
const hopsMax = 5;
/** A healthy leader answers within 2 s of the last progress. */
const silenceMs = 3_000;
const timeOver = "the time was over";
const pause = { firstMs: 25, maxMs: 500 };

export function createRouter(endpoints: readonly string[]): Router {
  const connections = openConnections();
  const origins = endpoints.map(originOf);
  if (origins.length === 0) throw new HalonError("HAL_USAGE", "Expected at least one endpoint.");
  let leader: string | undefined;
  return {
    send: async (errand, deadline) => {
      let why = "";
      for (let waitMs = pause.firstMs; ; waitMs = Math.min(waitMs * 2, pause.maxMs)) {
        const known = leader;
        const tried =
          known === undefined ? origins : [known, ...origins.filter((one) => one !== known)];
        for (const origin of tried) {
          const outcome = await visit(connections, origin, errand, deadline);
          leader = outcome.type === "answer" ? outcome.origin : undefined;
          if (outcome.type !== "elsewhere") return outcome;
          // That the time was over says less than why it was needed.
          if (why === "" || outcome.why !== timeOver) why = outcome.why;
        }
        if (performance.now() + waitMs >= deadline) throw given(why);
        await delay(waitMs);
      }
    },
    close: () => connections.close(),
  };
}

/** `host:port`, `http://host:port` and the same with a slash at the end. Errors: HAL_USAGE. */
export function originOf(endpoint: string): string {
  const text = endpoint.replace(/^tcp:\/\//, "http://");
  const full = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : null;
  if (url === null || url.protocol !== "http:" || url.pathname !== "/" || url.username !== "") {
    throw new HalonError(
      "HAL_USAGE",
      `Expected an endpoint such as http://127.0.0.1:8531, got ${JSON.stringify(endpoint.slice(0, 200))}.`,
    );
  }
  return url.origin;
}

/** What came of one member and those that it sends to; `elsewhere`: nothing was done, another may be asked. */
async function visit(
  connections: Connections,
  first: string,
  errand: Errand,
  deadline: number,
): Promise<Fate | { readonly type: "elsewhere"; readonly why: string }> {
  let url = `${first}${errand.path}`;
  for (let hop = 0; hop <= hopsMax; hop++) {
    const { origin, pathname, search } = new URL(url);
    const left = deadline - performance.now();
    if (left <= 0) return { type: "elsewhere", why: timeOver };
    const outcome = await connections.send({
      ...errand,
      body: errand.body,
      origin,
      path: pathname + search,
      timeoutMs: Math.min(left, errand.isPatient === true ? left : silenceMs),
    });
    if (outcome.type === "unsent") return { type: "elsewhere", why: `${origin}: ${outcome.why}` };
    if (outcome.type !== "answer") {
      const why =
        outcome.type === "lost" ? `${origin}: ${outcome.why}` : `${origin} did not answer`;
      if (errand.isRepeatable) return { type: "elsewhere", why };
      return { type: "unknown", why, origin, isOver: outcome.type === "lost" };
    }
    const { status, text, location } = outcome;
    if (status === 307) {
      const next = location === undefined ? null : new URL(location, url);
      if (next?.protocol !== "http:")
        return { type: "elsewhere", why: `${origin} redirects to nowhere` };
      url = next.href;
      continue;
    }
    if (status !== 408 && status !== 503) return { type: "answer", status, text, origin };
    // In the shape of the agency: nothing was done. In that of the framework: it was sequenced.
    const isRefused = /^\s*\{\s*"message"/.test(text);
    const why = `${origin} answered ${status}`;
    if (isRefused || errand.isRepeatable) return { type: "elsewhere", why };
    return { type: "unknown", why, origin, isOver: true };
  }
  return { type: "elsewhere", why: `more than ${hopsMax} redirects` };
}

function given(why: string): HalonError {
  if (/ answered 503$/.test(why)) {
    return new HalonError(
      "HAL_NO_LEADER",
      `The agency has no leader: ${why}. A majority of its members must run and reach each other.`,
    );
  }
  if (/did not answer$|^the time was over$/.test(why)) {
    return new HalonError("HAL_TIMEOUT", `No answer in time: ${why}. Allow more with --timeout.`);
  }
  return new HalonError(
    "HAL_UNREACHABLE",
    `No answer from the agency: ${why}. Does a member run there? Choose one with --endpoint.`,
  );
}
