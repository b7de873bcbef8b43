import { type DeadLetterEntry, HalonError } from "@halon/protocol";
import type { Command } from "commander";
import { once } from "../command-line.ts";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { ageOf } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

interface Meant extends MutationOptions {
  readonly all?: boolean;
  readonly type?: string;
}

/** `event dead`. */
export function addDead(event: Command, io: Io): void {
  const dead = event
    .command("dead")
    .description("events that no rule handled, or on which a rule threw")
    .action(action(io, list));
  const actions = [
    ["retry", "decide events once more: by all rules, or by the one that threw"],
    ["drop", "forget events"],
  ] as const;
  for (const [name, description] of actions) {
    const command = dead
      .command(name)
      .description(description)
      .argument("[id...]", "ids of events, as `event dead` shows them")
      .option("--all", "all of them")
      .option("--type <type>", "those of this type", once);
    mutation(command).action(
      action(io, (session, ids: readonly string[], options: Meant) =>
        act(session, name, ids, options),
      ),
    );
  }
}

async function list({ client, print }: Session): Promise<void> {
  const { letters, dropped, waiting } = await client.deadLetters();
  print.list(columnsAt(Date.now()), letters, ({ id }) => `event/${id}`);
  if (waiting > 0) print.say(`${waiting} are about to be decided once more`);
  if (dropped > 0) print.say(`${dropped} older ones were forgotten for want of room`);
}

async function act(
  session: Session,
  name: "retry" | "drop",
  ids: readonly string[],
  options: Meant,
): Promise<void> {
  const { all, type, reason, wait } = options;
  if ([ids.length > 0, all === true, type !== undefined].filter(Boolean).length !== 1)
    throw usage(`Expected ids, --all or --type T: which dead letters to ${name}.`);
  const body = {
    ...(ids.length > 0 ? { events: ids.map((id) => id.replace(/^event\//, "")) } : {}),
    ...(all === true ? { all } : {}),
    ...(type === undefined ? {} : { type }),
    ...(reason === undefined ? {} : { reason }),
  };
  const waiting = { wait, timeoutMs: session.timeoutMs };
  try {
    finish(session, await session.client.actOnDeadLetters(name, body, waiting), options);
  } catch (error) {
    // All of none is done.
    if (all !== true || !(error instanceof HalonError) || error.code !== "HAL_NOT_FOUND")
      throw error;
    session.print.say(error.message);
  }
}

function columnsAt(now: number): readonly Column<DeadLetterEntry>[] {
  return [
    { title: "ID", value: ({ id }) => id, canShrink: true },
    { title: "AGE", value: ({ time }) => ageOf(time, now) },
    { title: "TIME", value: ({ time }) => time, isWide: true },
    { title: "TYPE", value: ({ type }) => type, canShrink: true },
    { title: "ATTEMPTS", value: ({ attempts }) => attempts, isWide: true },
    { title: "DATA", value: ({ data }) => JSON.stringify(data), isWide: true },
    { title: "REASON", value: reasonOf, canShrink: true },
  ];
}

function reasonOf({ rule, reason, final }: DeadLetterEntry): string {
  const said = rule === undefined ? reason : `${rule}: ${reason}`;
  return final === undefined ? said : `${said} (cannot be retried: ${final})`;
}
