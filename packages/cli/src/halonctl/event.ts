import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { EventFilter } from "@halon/api";
import { type EventEntry, HalonError } from "@halon/protocol";
import type { Command } from "commander";
import type { z } from "zod";
import { once } from "../command-line.ts";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { eventColumns } from "../output/columns.ts";
import { addDead } from "./dead.ts";
import { action, type Session } from "./session.ts";

/** `event`. */
export function addEvent(program: Command, io: Io): void {
  const event = program.command("event").description("what happened, and what came of it");
  event
    .command("list")
    .description("events of the log")
    .option("--since <when>", "a time, or how long ago such as 10m", once)
    .option("--limit <n>", "at most so many (default: 100)", once)
    .option("--type <type>", "of this type only", once)
    .action(action(io, (session, options: ListOptions) => list(session, filterOf(options))));
  event
    .command("tail")
    .description("events as they are decided")
    .option("--type <type>", "of this type only", once)
    .action(
      action(io, (session, options: { readonly type?: string }) => tail(session, options.type)),
    );
  event
    .command("emit")
    .description("send an event and wait until it is committed")
    .argument("<type>")
    .argument("[json]", "its data", "{}")
    .option("--of-version <n>", "of its type (default: the newest that is declared)", once)
    .option("--id <id>", "the same id gives the same answer (default: a new one)", once)
    .action(
      action(io, async ({ client, print }, type: string, json: string, options: EmitOptions) => {
        const answer = await client.emit({
          id: options.id ?? randomUUID(),
          type,
          ...versionOf(options.ofVersion),
          data: dataOf(json),
        });
        print.one(answer, `event/${answer.id}`);
      }),
    );
  addDead(event, io);
}

interface EmitOptions {
  readonly id?: string;
  readonly ofVersion?: string;
}

function versionOf(text: string | undefined): { readonly version?: number } {
  if (text === undefined) return {};
  if (/^[1-9]\d{0,5}$/.test(text)) return { version: Number(text) };
  const got = JSON.stringify(text.slice(0, 50));
  throw usage(`Expected --of-version to be a whole number from 1 on, got ${got}.`);
}

interface ListOptions {
  readonly since?: string;
  readonly limit?: string;
  readonly type?: string;
}

function filterOf({ since, limit, type }: ListOptions): EventFilter {
  if (limit !== undefined && !/^[1-9]\d{0,2}$|^1000$/.test(limit)) {
    throw usage(`Expected --limit to be 1 to 1000, got ${JSON.stringify(limit.slice(0, 50))}.`);
  }
  return {
    ...(since === undefined ? {} : { since }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(type === undefined ? {} : { type }),
  };
}

async function list({ client, print }: Session, filter: EventFilter): Promise<void> {
  print.list(eventColumns, await client.events(filter), ({ id }) => `event/${id}`);
}

/** Follows the log; a connection that is lost is taken up again where it was. */
async function tail(session: Session, type: string | undefined): Promise<void> {
  const { client, io, print, timeoutMs } = session;
  let after: string | undefined;
  let lostAt: number | undefined;
  while (!io.interrupted.aborted) {
    try {
      for await (const entry of client.tail(after, io.interrupted)) {
        lostAt = undefined;
        after = `${entry.index}.${entry.position}`;
        if (type === undefined || entry.type === type) io.out(lineOf(session, entry));
      }
    } catch (error) {
      if (io.interrupted.aborted) return;
      if (error instanceof HalonError && error.code !== "HAL_UNREACHABLE") throw error;
      lostAt ??= performance.now();
      // Before the first entry there is nothing to take up.
      if (after === undefined || performance.now() - lostAt > timeoutMs) throw error;
      print.say("halonctl: the connection was lost; trying again");
    }
    await delay(500);
  }
}

function lineOf({ print }: Session, entry: EventEntry): string {
  if (print.format === "name") return `event/${entry.id}\n`;
  if (print.format !== "table" && print.format !== "wide") return `${JSON.stringify(entry)}\n`;
  const rules = entry.rules.map(({ rule }) => rule).join(", ");
  const outcome = entry.dead ?? rules;
  return `${entry.time} ${entry.type} ${JSON.stringify(entry.data)}${outcome === "" ? "" : ` -> ${outcome}`}\n`;
}

function dataOf(text: string): z.infer<ReturnType<typeof z.json>> {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usage(`Expected the data to be JSON: ${(error as Error).message}.`);
  }
}
