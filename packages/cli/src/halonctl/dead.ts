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
  const events = ids.map((id) => id.replace(/^event\//, ""));
  const body = {
    ...(events.length > 0 ? { events } : {}),
    ...(all === true ? { all } : {}),
    ...(type === undefined ? {} : { type }),
    ...(reason === undefined ? {} : { reason }),
  };
  const waiting = { wait, timeoutMs: session.timeoutMs };
  const { client, print } = session;
  const before = name === "retry" && wait ? (await client.deadLetters()).letters : [];
  try {
    finish(session, await client.actOnDeadLetters(name, body, waiting), options);
  } catch (error) {
    // All of none is done.
    if (all !== true || !(error instanceof HalonError) || error.code !== "HAL_NOT_FOUND")
      throw error;
    print.say(error.message);
    return;
  }
  const isMeant = (letter: DeadLetterEntry): boolean =>
    letter.final === undefined &&
    (all === true || letter.type === type || events.includes(letter.id));
  const asked = new Set(before.filter(isMeant).map(({ id }) => id));
  if (asked.size > 0) await tellOutcome(session, asked);
}

/** What became of the events that were decided once more. */
async function tellOutcome({ client, print }: Session, asked: ReadonlySet<string>): Promise<void> {
  const { letters, waiting } = await client.deadLetters();
  const again = letters.filter(({ id, final }) => asked.has(id) && final === undefined);
  const [first] = again;
  if (waiting > 0) print.say(`${waiting} are about to be decided once more`);
  if (first === undefined) print.say(`${asked.size - waiting} of ${asked.size} were handled`);
  else print.say(`${again.length} of ${asked.size} are dead letters again: ${reasonOf(first)}`);
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
