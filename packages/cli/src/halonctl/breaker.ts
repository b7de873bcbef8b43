import type { Command } from "commander";
import type { Io } from "../io.ts";
import { ageOf } from "../output/print.ts";
import { oneLine } from "../output/table.ts";
import { action, finish, type MutationOptions, mutation, type Session } from "./session.ts";

/** `breaker`. */
export function addBreaker(program: Command, io: Io): void {
  const breaker = program
    .command("breaker")
    .description("keeps services in their places when many nodes are lost at once");
  breaker
    .command("show", { isDefault: true })
    .description("whether it is tripped, and why (default)")
    .action(action(io, show));
  const reset = breaker.command("reset").description("let services move off the lost nodes");
  mutation(reset).action(
    action(io, async (session, options: MutationOptions) => {
      const body = options.reason === undefined ? {} : { reason: options.reason };
      const waiting = { wait: options.wait, timeoutMs: session.timeoutMs };
      finish(session, await session.client.resetBreaker(body, waiting), options);
    }),
  );
}

async function show({ client, print }: Session): Promise<void> {
  const { breaker } = (await client.status()).cluster;
  const state = breaker === undefined ? "closed" : "tripped";
  if (print.format !== "table" && print.format !== "wide") {
    print.one({ state, ...breaker }, `breaker/${state}`);
    return;
  }
  if (breaker === undefined) {
    print.text("The breaker is closed: services move off nodes that are lost.\n");
    return;
  }
  const { since, reason, nodes } = breaker;
  print.text(`The breaker is tripped for ${ageOf(since, Date.now())}, since ${since}.\n`);
  print.text(`  ${oneLine(reason)}\n  not back yet: ${nodes.join(", ")}\n`);
  print.text("Nothing moves off them until they are back, or `halonctl breaker reset`.\n");
}
