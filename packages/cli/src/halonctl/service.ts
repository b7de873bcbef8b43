import type { ServiceAction } from "@halon/api";
import type { Json } from "@halon/protocol";
import type { Command } from "commander";
import { z } from "zod";
import { once } from "../command-line.ts";
import { usage, ViolationFound } from "../failure.ts";
import type { Io } from "../io.ts";
import { serviceColumns } from "../output/columns.ts";
import { addConform } from "./conform.ts";
import { tryStart } from "./dry-run.ts";
import { action, finish, type MutationOptions, mutation } from "./session.ts";

const actions: Readonly<Record<ServiceAction, string>> = {
  start: "start it where it is wanted and stopped",
  stop: "stop it until it is started again",
  restart: "stop it and start it",
  check: "ask its instances for their health now",
  status: "ask its instances to report",
};

/** `service`. */
export function addService(program: Command, io: Io): void {
  const service = program.command("service").description("what runs");
  service
    .command("list")
    .description("all instances")
    .action(
      action(io, async ({ client, print }) => {
        const { services } = await client.status();
        const columns = serviceColumns(print.colors, Date.now());
        print.list(columns, services, (row) => `service/${row.service}@${row.node}`);
      }),
    );
  service
    .command("types")
    .description("the service types that the cluster knows")
    .action(
      action(io, async ({ client, print }) => {
        const columns = ["type", "version", "kind", "serviceName"].map((field) => ({
          title: field.toUpperCase(),
          value: (row: Readonly<Record<string, unknown>>) => String(row[field] ?? ""),
        }));
        print.list(columns, await client.types(), (row) => `type/${String(row["type"])}`);
      }),
    );
  service
    .command("show")
    .description("one service with its configuration and instances")
    .argument("<service>")
    .action(
      action(io, async ({ client, print }, name: string) => {
        print.one(await client.service(name), `service/${name}`);
      }),
    );
  for (const [name, description] of Object.entries(actions)) {
    addAction(service, io, name as ServiceAction, description);
  }
  addMove(service, io);
  addSend(service, io);
  addLogs(service, io);
  addConfig(service, io);
  addConform(service, io);
}

type ActOptions = MutationOptions & { readonly on?: string; readonly dryRun?: boolean };

function addAction(service: Command, io: Io, name: ServiceAction, description: string): void {
  const command = service
    .command(name)
    .description(description)
    .argument("<service>")
    .option("--on <node>", "on this node only", once);
  if (name === "start") {
    command.option(
      "--dry-run",
      "tell what would be done and which conditions hold, and do nothing",
    );
  }
  mutation(command).action(
    action(io, async (session, target: string, options: ActOptions) => {
      if (options.dryRun === true) {
        await tryStart(session, target, options.on);
        return;
      }
      const body = {
        ...(options.on === undefined ? {} : { on: options.on }),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      };
      const waiting = { wait: options.wait, timeoutMs: session.timeoutMs };
      const operation = await session.client.act(target, name, body, waiting);
      const { answers } = operation;
      if (answers === undefined || Object.keys(answers).length === 0) {
        finish(session, operation, options);
        return;
      }
      // A report has any depth, so it is cut in no table.
      const isTable = session.print.format === "table" || session.print.format === "wide";
      if (name === "status" && isTable) session.print.one(reportsOf(answers), `service/${target}`);
      else showAnswers(session.print, answers);
      if (name === "check") requireHealthy(target, answers);
    }),
  );
}

type MoveOptions = MutationOptions & { readonly from: string; readonly to?: string };

function addMove(service: Command, io: Io): void {
  const command = service
    .command("move")
    .description("have it run on another node, and end on this one after that")
    .argument("<service>")
    .requiredOption("--from <node>", "where it runs", once)
    .option("--to <node>", "where it is to run; else placement chooses", once);
  mutation(command).action(
    action(io, async (session, target: string, options: MoveOptions) => {
      const { from, to, reason, wait } = options;
      const body = {
        from,
        ...(to === undefined ? {} : { to }),
        ...(reason === undefined ? {} : { reason }),
      };
      const waiting = { wait, timeoutMs: session.timeoutMs };
      finish(session, await session.client.move(target, body, waiting), options);
    }),
  );
}

function addSend(service: Command, io: Io): void {
  service
    .command("send")
    .description("call one of its messages, and print its answer as JSON")
    .argument("<service>")
    .argument("<message>")
    .argument("[args...]", "JSON, or plain text")
    .option("--on <node>", "the instance on this node", once)
    .action(
      action(
        io,
        async (
          { client, print, timeoutMs },
          name: string,
          message: string,
          args: readonly string[],
          options: { readonly on?: string },
        ) => {
          const on = options.on === undefined ? {} : { on: options.on };
          const body = { ...on, message, args: args.map(argument) };
          const { instance, answer } = await client.send(name, body, timeoutMs);
          const isForPeople = print.format === "table" || print.format === "wide";
          if (isForPeople) print.text(`${JSON.stringify(answer, null, 2)}\n`);
          else print.one({ instance, answer }, `instance/${instance}`);
        },
      ),
    );
}

/** What reads as JSON is JSON, so that numbers and objects can be given; the rest is text. */
function argument(text: string): z.infer<ReturnType<typeof z.json>> {
  return z.json().parse(parseJson(text));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const HealthAnswer = z.looseObject({ health: z.string() });

function showAnswers(
  print: Parameters<Parameters<typeof action>[1]>[0]["print"],
  answers: Readonly<Record<string, Json>>,
): void {
  const rows = Object.entries(answers).map(([instance, answer]) => ({ instance, answer }));
  print.list(
    [
      { title: "INSTANCE", value: (row) => row.instance },
      { title: "ANSWER", value: (row) => JSON.stringify(row.answer), canShrink: true },
    ],
    rows,
    (row) => `instance/${row.instance}`,
  );
}

const Report = z.looseObject({ report: z.json() });

function reportsOf(answers: Readonly<Record<string, Json>>): Readonly<Record<string, Json>> {
  const told = (answer: Json) => Report.safeParse(answer).data?.report ?? answer;
  return Object.fromEntries(Object.entries(answers).map(([id, answer]) => [id, told(answer)]));
}

function requireHealthy(service: string, answers: Readonly<Record<string, Json>>): void {
  const bad = Object.entries(answers).filter(
    ([, answer]) => HealthAnswer.safeParse(answer).data?.health === "fail",
  );
  if (bad.length === 0) return;
  throw new ViolationFound(
    `The check of ${service} fails on ${bad.map(([instance]) => instance).join(", ")}.`,
  );
}

function addLogs(service: Command, io: Io): void {
  service
    .command("logs")
    .description("what it wrote")
    .argument("<service>")
    .option("-f, --follow", "go on with what it writes")
    .option("--on <node>", "on this node", once)
    .option("--lines <n>", "how many lines from the end (default: 200)", once)
    .action(
      action(
        io,
        async (
          { client },
          name: string,
          options: { readonly follow?: boolean; readonly on?: string; readonly lines?: string },
        ) => {
          const query = {
            ...(options.on === undefined ? {} : { on: options.on }),
            ...(options.lines === undefined ? {} : { lines: Number(options.lines) }),
          };
          if (options.follow !== true) {
            io.out(await client.logs(name, query));
            return;
          }
          const decoder = new TextDecoder();
          for await (const chunk of await client.followLogs(name, query, io.interrupted)) {
            io.out(decoder.decode(chunk, { stream: true }));
          }
        },
      ),
    );
}

function addConfig(service: Command, io: Io): void {
  const config = service.command("config").description("its configuration");
  config
    .command("get")
    .description("the configuration that is wanted")
    .argument("<service>")
    .action(
      action(io, async ({ client, print }, name: string) => {
        print.one((await client.service(name)).config ?? {}, `service/${name}`);
      }),
    );
  const set = config
    .command("set")
    .description("change fields of the configuration; values are JSON or text")
    .argument("<service>")
    .argument("<field=value...>");
  mutation(set).action(
    action(
      io,
      async (session, name: string, pairs: readonly string[], options: MutationOptions) => {
        const known = (await session.client.service(name)).config ?? {};
        const config = { ...known, ...Object.fromEntries(pairs.map(fieldOf)) } as Record<
          string,
          z.infer<ReturnType<typeof z.json>>
        >;
        const body = {
          config,
          ...(options.reason === undefined ? {} : { reason: options.reason }),
        };
        const waiting = { wait: options.wait, timeoutMs: session.timeoutMs };
        finish(session, await session.client.configure(name, body, waiting), options);
      },
    ),
  );
}

/** Reads `field=value`; a value that is not JSON is text. */
export function fieldOf(pair: string): readonly [string, Json] {
  const equals = pair.indexOf("=");
  if (equals < 1) throw usage(`Expected field=value, got ${JSON.stringify(pair.slice(0, 100))}.`);
  const text = pair.slice(equals + 1);
  try {
    return [pair.slice(0, equals), JSON.parse(text) as Json];
  } catch {
    return [pair.slice(0, equals), text];
  }
}
