import type { IncomingMessage } from "node:http";
import { HalonError } from "@halon/protocol";
import { z } from "zod";

/** No body of ours is deeper; a deeper one would only exhaust the stack of who walks it. */
const depthMax = 64;

/** How much of a body that is too large is taken and dropped, and after what silence no more of it. */
const dropped = { bytesMax: 256 * 1024 * 1024, silentMs: 200 };

/**
 * Reads the body, at most `bytesMax` of it. The rest of a larger one is dropped unseen for a moment before the
 * refusal: closing at once resets the connection, and the client that still writes may never see the answer.
 */
export function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (incoming.headers["content-encoding"] !== undefined) {
    return Promise.reject(
      new HalonError("HAL_BAD_REQUEST", "Compressed bodies are not supported. Send it plain."),
    );
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let timer: NodeJS.Timeout | undefined;
    const settle = (end: () => void) => {
      clearTimeout(timer);
      incoming.off("data", onData).off("end", onEnd).off("error", onLost).off("close", onLost);
      end();
    };
    const refuse = () => {
      incoming.pause();
      const message = `The body is larger than the limit of ${bytesMax} bytes.`;
      settle(() => reject(new HalonError("HAL_TOO_LARGE", message)));
    };
    const drop = () => {
      chunks.length = 0;
      clearTimeout(timer);
      timer = setTimeout(refuse, dropped.silentMs);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) drop();
      if (timer === undefined) chunks.push(chunk);
      else if (bytes > dropped.bytesMax) refuse();
    };
    const onEnd = () => {
      if (timer === undefined) settle(() => resolve(Buffer.concat(chunks)));
      else refuse();
    };
    const onLost = () =>
      settle(() => reject(new HalonError("HAL_BAD_REQUEST", "The body ended too early.")));
    if (Number(incoming.headers["content-length"] ?? 0) > bytesMax) drop();
    incoming.on("data", onData).on("end", onEnd).on("error", onLost).on("close", onLost);
  });
}

/** Reads a JSON body of the shape; an empty one counts as `{}`. */
export async function readJson<S extends z.ZodType>(
  incoming: IncomingMessage,
  schema: S,
  bytesMax: number,
): Promise<z.infer<S>> {
  return parseWith(schema, (await readJsonBody(incoming, bytesMax)).value, "body");
}

/** A JSON body, as it came and as what it says; an empty one counts as `{}`. */
export async function readJsonBody(
  incoming: IncomingMessage,
  bytesMax: number,
): Promise<{ readonly bytes: Buffer; readonly value: unknown }> {
  const type = incoming.headers["content-type"];
  const mediaType = type?.split(";")[0]?.trim().toLowerCase();
  // Browsers send forms and plain text to other origins without asking, but never this type.
  if (mediaType !== undefined && mediaType !== "application/json") throw wrongType(type);
  const bytes = await readBody(incoming, bytesMax);
  if (bytes.length === 0) return { bytes, value: {} };
  if (mediaType === undefined) throw wrongType(type);
  return { bytes, value: parseJson(bytes) };
}

/** Parses to the schema's type; the error names each field that is wrong. */
export function parseWith<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HalonError("HAL_BAD_REQUEST", `The ${what} is not valid: ${problems(parsed.error)}.`);
}

/** The first problems of a parse, one line, each with its field. */
export function problems(error: z.ZodError): string {
  const shown = error.issues.slice(0, 5).map((issue) => {
    const path = z.core.toDotPath(issue.path);
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

function parseJson(bytes: Buffer): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (depthOf(text) > depthMax) throw new RangeError(`deeper than ${depthMax} levels`);
    return JSON.parse(text);
  } catch (cause) {
    throw notJson(cause);
  }
}

function notJson(cause: unknown): HalonError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new HalonError("HAL_BAD_REQUEST", `The body is not JSON: ${why.slice(0, 200)}.`, {
    cause,
  });
}

/** How deep brackets stand in each other, strings left out. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inString && character === "\\") at++;
    else if (character === '"') inString = !inString;
    else if (inString) continue;
    else if (character === "[" || character === "{") deepest = Math.max(deepest, ++depth);
    else if (character === "]" || character === "}") depth--;
  }
  return deepest;
}

function wrongType(type: string | undefined): HalonError {
  return new HalonError(
    "HAL_BAD_REQUEST",
    `Expected the content type application/json, got ${type === undefined ? "none" : JSON.stringify(type.slice(0, 100))}.`,
  );
}
