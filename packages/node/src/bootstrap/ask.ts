import { request } from "node:http";
import { deadlineWithin } from "@halon/api";
import { z } from "zod";
import type { HelloReply } from "../core/bootstrap-join.ts";

const answerBytesMax = 1024 * 1024;
const askTimeoutMs = 2_000;

/** Another node, as its `GET /id` tells; the cluster is complete where it has a role. */
const NodeId = z.object({ id: z.uuid(), role: z.string().nullable() });
export type NodeId = z.infer<typeof NodeId>;

export interface Ask {
  readonly method: "GET" | "POST";
  /** `host:port`. */
  readonly address: string;
  readonly path: "/hello" | "/id";
  readonly body?: unknown;
}

/**
 * Sends one request and reads its answer, at most 1 MiB within 2 s; follows no redirect.
 *
 * Rejects only with the signal's reason.
 */
export function ask(
  { method, address, path, body }: Ask,
  signal: AbortSignal,
): Promise<HelloReply> {
  const deadline = deadlineWithin(askTimeoutMs, signal);
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { "Content-Type": "application/json" };
    const fail = (error: Error) => {
      if (signal.aborted) reject(signal.reason);
      else resolve({ type: "none", reason: reasonOf(error) });
    };
    const sent = request(
      // A connection of its own: the other end may be another process the next time.
      { ...splitAddress(address), method, path, headers, agent: false, signal: deadline },
      (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= answerBytesMax) return void chunks.push(chunk);
          sent.destroy();
          resolve({ type: "tooLarge" });
        });
        answer.on("error", fail);
        answer.on("end", () => {
          const { statusCode: status = 0, headers } = answer;
          const parsed = parseJson(Buffer.concat(chunks).toString());
          resolve({ type: "answer", status, location: headers.location, body: parsed });
        });
      },
    );
    sent.on("error", fail);
    sent.end(text);
  });
}

/** Who is at the address; undefined where no node answers. */
export async function askId(address: string, signal: AbortSignal): Promise<NodeId | undefined> {
  const reply = await ask({ method: "GET", address, path: "/id" }, signal);
  if (reply.type !== "answer" || reply.status !== 200) return undefined;
  return NodeId.safeParse(reply.body).data;
}

function splitAddress(address: string): { readonly host: string; readonly port: string } {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: address.slice(at + 1) };
}

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ABORT_ERR") return `no answer within ${askTimeoutMs} ms`;
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the name is not known";
  return error.message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever reads it says what was expected.
    return undefined;
  }
}
