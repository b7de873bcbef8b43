import type { NodeAction, NodeView } from "@halon/api";
import { Argument, type Command } from "commander";
import type { Io } from "../io.ts";
import { colorOf, nodeColumns, serviceColumns } from "../output/columns.ts";
import { ageOf } from "../output/print.ts";
import { oneLine } from "../output/table.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

const actions: Readonly<Record<Exclude<NodeAction, "maintenance">, string>> = {
  drain: "move its services to other nodes, and stop the rest; waits until it is empty",
  resume: "let it take services again, or join again after it was removed",
  remove: "take it out of the cluster; it has to be drained or down, and no tracking node",
};

/** `node`. */
export function addNode(program: Command, io: Io): void {
  const node = program.command("node").description("the machines of the cluster");
  node
    .command("list")
    .description("all nodes")
    .action(
      action(io, async ({ client, print }) => {
        const { nodes } = await client.status();
        print.list(nodeColumns(print.colors, Date.now()), nodes, ({ name }) => `node/${name}`);
      }),
    );
  node
    .command("show")
    .description("one node: its state, on what evidence, and what runs there")
    .argument("<node>")
    .action(action(io, async (session, name: string) => show(session, name)));
  for (const name of ["drain", "resume"] as const) addAction(node, io, name);
  addMaintenance(node, io);
  addAction(node, io, "remove");
}

function addAction(node: Command, io: Io, name: keyof typeof actions): void {
  const command = node.command(name).description(actions[name]).argument("<node>");
  mutation(command).action(
    action(io, (session, target: string, options: MutationOptions) =>
      change(session, target, name, {}, options),
    ),
  );
}

function addMaintenance(node: Command, io: Io): void {
  const command = node
    .command("maintenance")
    .description("while it is on, nothing is decided about what fails there")
    .argument("<node>")
    .addArgument(new Argument("<switch>", "on or off").choices(["on", "off"]));
  mutation(command).action(
    action(io, (session, target: string, to: string, options: MutationOptions) =>
      change(session, target, "maintenance", { on: to === "on" }, options),
    ),
  );
}

async function change(
  session: Session,
  node: string,
  name: NodeAction,
  given: { readonly on?: boolean },
  options: MutationOptions,
): Promise<void> {
  const body = { ...given, ...(options.reason === undefined ? {} : { reason: options.reason }) };
  const waiting = { wait: options.wait, timeoutMs: session.timeoutMs };
  finish(session, await session.client.actOnNode(node, name, body, waiting), options);
}

async function show({ client, print }: Session, name: string): Promise<void> {
  const node = await client.node(name);
  if (print.format !== "table" && print.format !== "wide") {
    print.one(node, `node/${name}`);
    return;
  }
  const now = Date.now();
  const state = colorOf(print.colors, node.state)(node.state);
  print.text(`Node ${node.name}: ${state} for ${ageOf(node.since, now)}, since ${node.since}\n`);
  for (const [title, text] of fieldsOf(node)) print.text(`  ${title.padEnd(12)}${oneLine(text)}\n`);
  if (node.evidence.length > 0) print.text("\nThat rests on\n");
  for (const sentence of node.evidence) print.text(`  ${oneLine(sentence)}\n`);
  print.text("\n");
  if (node.services.length === 0) print.text("Nothing runs there.\n");
  else print.list(serviceColumns(print.colors, now), node.services, (row) => row.instance);
}

/** What stands below the first line, as far as there is something to say. */
function fieldsOf(node: NodeView): readonly (readonly [string, string])[] {
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
  const fields: readonly (readonly [string, string])[] = [
    ["reason", node.reason ?? ""],
    ["mode", node.mode],
    ["recovery", node.recovery ?? ""],
    ["address", node.address],
    ["role", node.role],
    ["incarnation", String(node.incarnation)],
    ["version", node.version],
    ["labels", labels.join(", ")],
    ["watched by", node.watchedBy.join(", ")],
    ["watches", [...node.watches, ...(node.watchesInstances ?? [])].join(", ")],
  ];
  return fields.filter(([, text]) => text !== "");
}
