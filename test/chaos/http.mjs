import { Agent, request } from "node:http";

/**
 * Asks one node, over one connection that is kept. Rejects when there is no whole answer in time.
 *
 * Plain HTTP and not the client of the product: what is checked should not check itself.
 */
export function createAsker(port, { timeoutMs }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = request(
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          agent,
          signal: AbortSignal.timeout(timeoutMs),
          headers: text === undefined ? {} : { "content-type": "application/json" },
        },
        (answer) => {
          const chunks = [];
          answer.on("data", (chunk) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () => {
            try {
              const whole = Buffer.concat(chunks).toString();
              resolve({ status: answer.statusCode, body: JSON.parse(whole) });
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  return {
    get: (path) => ask("GET", path),
    post: (path, body) => ask("POST", path, body),
    close: () => agent.destroy(),
  };
}

/**
 * Asks one of several nodes, and stays with it until it does not answer or says that it cannot; the next call asks the
 * next one. A failure is the caller's: only it knows whether asking again does harm.
 */
export function createRoamer(ports, { timeoutMs, first = 0 }) {
  const askers = ports.map((port) => createAsker(port, { timeoutMs }));
  let at = first % askers.length;
  const roam = async (ask) => {
    const asked = at;
    let isWell = false;
    try {
      const answer = await ask(askers[asked]);
      isWell = answer.status < 500;
      return answer;
    } finally {
      // Several calls may be under way: one of them moves on, the others go with it.
      if (!isWell && at === asked) at = (at + 1) % askers.length;
    }
  };
  return {
    get: (path) => roam((asker) => asker.get(path)),
    post: (path, body) => roam((asker) => asker.post(path, body)),
    close: () => {
      for (const asker of askers) asker.close();
    },
  };
}
