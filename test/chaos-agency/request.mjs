import { Agent, request } from "node:http";

const timeoutMs = 2_000;

/**
 * Asks over connections that are kept, one a member. Plain HTTP: what is checked should not check itself.
 *
 * Gives `answer` with status, text and location; `unsent` when nothing can have reached the member; `lost` for all else.
 */
export class Asker {
  #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  ask(address, path, body) {
    const [host, port] = address.split(":");
    return new Promise((resolve) => {
      const outgoing = request(
        {
          ...{ host, port: Number(port), path, agent: this.#agent },
          method: body === undefined ? "GET" : "POST",
          headers: body === undefined ? {} : { "content-type": "application/json" },
        },
        (answer) => {
          const chunks = [];
          answer.on("data", (chunk) => chunks.push(chunk));
          answer.on("end", () => {
            const { statusCode: status, headers } = answer;
            const text = Buffer.concat(chunks).toString();
            end({ type: "answer", status, text, location: headers.location });
          });
          answer.on("close", () => end({ type: "lost" }));
        },
      );
      const late = setTimeout(() => outgoing.destroy(), timeoutMs);
      const end = (outcome) => {
        clearTimeout(late);
        resolve(outcome);
      };
      outgoing.on("error", ({ code }) => {
        // Nothing listened, so nothing was read. A kept connection that breaks tells less.
        end({ type: code === "ECONNREFUSED" ? "unsent" : "lost" });
      });
      outgoing.on("close", () => end({ type: "lost" }));
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close() {
    this.#agent.destroy();
  }
}
