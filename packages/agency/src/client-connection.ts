import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { HalonError } from "@halon/protocol";

/** One request to one member. */
export interface Shot {
  readonly method: "GET" | "POST";
  /** Such as `http://127.0.0.1:8531`. */
  readonly origin: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly timeoutMs: number;
}

/** What came of one request to one member. */
export type ShotOutcome =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly text: string;
      readonly location: string | undefined;
    }
  /** There was no connection: nothing was sent. */
  | { readonly type: "unsent"; readonly why: string }
  /** The connection ended before the answer: it may have been carried out, and will not be from now on. */
  | { readonly type: "lost"; readonly why: string }
  /** No answer in time: it may be carried out at any time. */
  | { readonly type: "silent" };

/** Connections to members, kept open between requests. */
export interface Connections {
  send(shot: Shot): Promise<ShotOutcome>;
  close(): void;
}

/** Larger answers are an error. */
const answerBytesMax = 256 * 1024 * 1024;

export function openConnections(): Connections {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  return {
    send: (shot) => send(agent, shot),
    close: () => agent.destroy(),
  };
}

function send(agent: Agent, { method, origin, path, body, timeoutMs }: Shot): Promise<ShotOutcome> {
  return new Promise((resolve, reject) => {
    let isConnected = false;
    let isLate = false;
    const headers =
      body === undefined
        ? {}
        : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const outgoing = httpRequest(`${origin}${path}`, { agent, method, headers });
    const timer = setTimeout(() => {
      isLate = true;
      outgoing.destroy();
    }, timeoutMs);
    const settle = (outcome: ShotOutcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    const lose = (error: Error) => {
      const why = reasonOf(error);
      if (!isConnected) settle({ type: "unsent", why });
      else settle(isLate ? { type: "silent" } : { type: "lost", why });
    };
    outgoing.on("socket", (socket) => {
      if (!socket.connecting) isConnected = true;
      else socket.once("connect", () => (isConnected = true));
    });
    outgoing.on("error", lose);
    outgoing.on("response", (response) => {
      collect(response).then(
        (text) => {
          const { statusCode: status = 0, headers } = response;
          settle({ type: "answer", status, text, location: headers.location });
        },
        (error) => {
          if (!(error instanceof HalonError)) return lose(error);
          clearTimeout(timer);
          reject(error);
        },
      );
    });
    outgoing.end(body);
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      throw new HalonError("HAL_TOO_LARGE", `The answer is larger than ${answerBytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reasonOf(error: Error): string {
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first instanceof Error ? first.message : error.message;
}
