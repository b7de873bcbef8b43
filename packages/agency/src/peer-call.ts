import { request } from "node:http";
import { HalonError } from "@halon/protocol";
import { z } from "zod";
import type { Gossip, GossipAnswer } from "./core/gossip.ts";

const timeoutMs = 2_000;
const answerBytesMax = 256 * 1024;

const GossipShape = z.object({
  id: z.string().max(64),
  endpoint: z.string().max(256),
  size: z.number().int().min(1).max(7),
  pool: z.record(z.string().max(64), z.string().max(256)),
  cluster: z.string().max(128).nullable(),
});
const RefusalShape = z.object({ errorMessage: z.string(), removed: z.boolean().default(false) });
const ConfigShape = z.object({ configuration: z.object({ id: z.string().max(64) }) });

/** Tells another process of this member. Errors: HAL_UNREACHABLE when it does not answer, or not like a member. */
export async function callGossip(address: string, gossip: Gossip): Promise<GossipAnswer> {
  const path = "/_api/agency_priv/gossip";
  const { status, text } = await call(address, "POST", path, JSON.stringify(gossip));
  if (status === 200) return { type: "gossip", gossip: shaped(GossipShape, text, address) };
  if (status !== 403) throw unreachable(address, `it answers ${status}`);
  const { errorMessage: message, removed } = shaped(RefusalShape, text, address);
  return { type: "refused", message, removed };
}

/** The id of the member at an address. Errors: HAL_UNREACHABLE. */
export async function callForId(address: string): Promise<string> {
  const { status, text } = await call(address, "GET", "/_api/agency/config", null);
  if (status !== 200) throw unreachable(address, `it answers ${status}`);
  return shaped(ConfigShape, text, address).configuration.id;
}

function call(
  address: string,
  method: "GET" | "POST",
  path: string,
  body: string | null,
): Promise<{ readonly status: number; readonly text: string }> {
  const url = `http://${address}${path}`;
  if (!URL.canParse(url)) return Promise.reject(unreachable(address, "it is no host:port"));
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      reject(unreachable(address, reason));
      sent.destroy();
    };
    const length = body === null ? 0 : Buffer.byteLength(body);
    const headers = { "content-type": "application/json", "content-length": length };
    const sent = request(url, { method, headers, agent: false });
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    sent.on("close", () => clearTimeout(timer));
    sent.on("error", (error) => fail(error.message));
    sent.on("response", (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        parts.push(part);
        bytes += part.length;
        if (bytes > answerBytesMax) fail(`an answer of more than ${answerBytesMax} bytes`);
      });
      response.on("error", (error) => fail(error.message));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }),
      );
    });
    sent.end(body ?? undefined);
  });
}

function shaped<Shape extends z.ZodType>(
  shape: Shape,
  text: string,
  address: string,
): z.infer<Shape> {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new HalonError("HAL_UNREACHABLE", `${address} does not answer like a member.`, { cause });
  }
}

function unreachable(address: string, reason: string): HalonError {
  return new HalonError("HAL_UNREACHABLE", `${address} cannot be reached: ${reason}.`);
}
