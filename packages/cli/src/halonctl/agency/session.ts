import type { AgencyClient, AgencyReply } from "@halon/agency";
import { type ErrorCode, errorCodes, HalonError } from "@halon/protocol";
import type { Command } from "commander";
import { z } from "zod";
import type { Io } from "../../io.ts";
import type { Printer } from "../../output/print.ts";
import { type GlobalOptions, settingsOf } from "../session.ts";

/** What every command about an agency is given. */
export interface AgencySession {
  readonly client: AgencyClient;
  readonly print: Printer;
  readonly io: Io;
}

/** Makes an action of a function that talks to an agency; its connections end with it. */
export function agencyAction<A extends readonly unknown[]>(
  io: Io,
  run: (session: AgencySession, ...args: A) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const { endpoints, timeoutMs, print } = settingsOf(
      io,
      command.optsWithGlobals<GlobalOptions>(),
    );
    // Loaded only here: the other commands start faster without it.
    const { createAgencyClient } = await import("@halon/agency");
    const client = createAgencyClient({ endpoints, timeoutMs });
    try {
      await run({ client, print, io }, ...(args.slice(0, -1) as unknown as A));
    } finally {
      client.close();
    }
  };
}

const Failure = z.object({
  errorCode: z.string().optional(),
  errorMessage: z.string().optional(),
  message: z.string().optional(),
});

/** The answer as the schema has it; anything but success is an error, with the agency's words. */
export function succeeded<T>(reply: AgencyReply, schema: z.ZodType<T>): T {
  const body = jsonOf(reply.text);
  if (reply.status === 200) {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new HalonError(
      "HAL_FAILED",
      `The answer is not an agency's: ${JSON.stringify(reply.text.slice(0, 120))}. Is the endpoint one?`,
    );
  }
  const { errorCode = "", errorMessage, message } = Failure.safeParse(body).data ?? {};
  throw new HalonError(
    Object.hasOwn(errorCodes, errorCode) ? (errorCode as ErrorCode) : codeOf(reply.status),
    errorMessage ?? message ?? `The agency answered ${reply.status}.`,
  );
}

function codeOf(status: number): ErrorCode {
  if (status === 400) return "HAL_BAD_REQUEST";
  if (status === 404) return "HAL_NOT_FOUND";
  return status === 413 ? "HAL_TOO_LARGE" : "HAL_FAILED";
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Fits no schema, which says so.
    return undefined;
  }
}
