import { setTimeout as delay } from "node:timers/promises";
import type { ClusterStatus } from "@halon/protocol";
import type { Command } from "commander";
import type { Io } from "../io.ts";
import { colorOf, nodeColumns, serviceColumns } from "../output/columns.ts";
import { action, type Session } from "./session.ts";

const watchMs = 1_000;

/** `status`. */
export function addStatus(program: Command, io: Io): void {
  program
    .command("status")
    .description("the cluster at a glance")
    .option("--watch", "show it again every second")
    .action(
      action(io, async (session, options: { readonly watch?: boolean }) => {
        do {
          const status = await session.client.status();
          if (options.watch === true && io.isTerminal) session.print.text("\u001b[2J\u001b[H");
          show(session, status);
          if (options.watch === true) await pause(io.interrupted);
        } while (options.watch === true && !io.interrupted.aborted);
      }),
    );
}

function show({ print }: Session, status: ClusterStatus): void {
  if (print.format !== "table" && print.format !== "wide") {
    print.one(status, `cluster/${status.cluster.id}`);
    return;
  }
  const { id, state, leader, epoch, revision, reasons = [] } = status.cluster;
  const shown = colorOf(print.colors, state)(state);
  print.text(
    `Cluster ${id}: ${shown}, leader ${leader ?? "none"}, epoch ${epoch}, revision ${revision}\n${reasons.map((reason) => `  ${reason}\n`).join("")}\n`,
  );
  const now = Date.now();
  print.list(nodeColumns(print.colors, now), status.nodes, ({ name }) => `node/${name}`);
  print.text("\n");
  if (status.services.length === 0) print.text("No services. Apply a cluster file.\n");
  else print.list(serviceColumns(print.colors, now), status.services, (row) => row.instance);
}

async function pause(interrupted: AbortSignal): Promise<void> {
  try {
    await delay(watchMs, undefined, { signal: interrupted });
  } catch {
    // Interrupted: the loop sees it and ends.
  }
}
