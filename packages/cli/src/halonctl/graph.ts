import type { Command } from "commander";
import { once } from "../command-line.ts";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { action } from "./session.ts";

const exportFormats = ["json", "dot", "graphml"] as const;

const kindOfWord: Readonly<Record<string, string>> = {
  node: "Node",
  service: "Deployment",
  instance: "ServiceInstance",
  slot: "ServiceName",
  type: "Service",
};

/** `graph`. */
export function addGraph(program: Command, io: Io): void {
  const graph = program.command("graph").description("the resource graph");
  graph
    .command("query")
    .description(
      "resources that an expression finds, such as 'Node[state=up] -runs-> ServiceInstance'",
    )
    .argument("<expression>")
    .action(
      action(io, async ({ client, print }, expression: string) => {
        print.list(
          [
            { title: "KIND", value: (row) => row.kind },
            { title: "ID", value: (row) => row.id },
            {
              title: "ATTRIBUTES",
              value: (row) => JSON.stringify(row.attributes),
              canShrink: true,
            },
          ],
          await client.query(expression),
          (row) => `${row.kind}/${row.id}`,
        );
      }),
    );
  graph
    .command("show")
    .description("one resource and its relations, such as node/node-1 or TcpPort/8080")
    .argument("<id>")
    .action(
      action(io, async ({ client, print }, text: string) => {
        const key = keyOfReference(text);
        print.one(await client.resource(key), key);
      }),
    );
  graph
    .command("export")
    .description("the whole graph")
    .option("--format <format>", "json, dot or graphml (default: json)", once)
    .action(
      action(io, async ({ client }, options: { readonly format?: string }) => {
        const format = exportFormats.find((known) => known === (options.format ?? "json"));
        if (format === undefined) {
          throw usage(`Expected --format to be json, dot or graphml, got ${options.format}.`);
        }
        io.out(`${(await client.exportGraph(format)).trimEnd()}\n`);
      }),
    );
}

/** `node/N`, `service/S`, `service/S@N`, `instance/I`, or a kind and an id as they stand in the graph. */
export function keyOfReference(text: string): string {
  const [, word = "", id = ""] = /^([A-Za-z0-9]+)\/(.+)$/.exec(text) ?? [];
  if (word === "service" && id.includes("@")) return `ServiceName/${id}`;
  const kind = Object.hasOwn(kindOfWord, word) ? kindOfWord[word] : word;
  if (kind !== undefined && /^[A-Z]/.test(kind)) return `${kind}/${id}`;
  throw usage(
    `Expected a reference such as node/N, service/S, service/S@N, instance/I or Kind/ID, got ${JSON.stringify(text.slice(0, 100))}.`,
  );
}
