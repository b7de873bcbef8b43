import { setTimeout as delay } from "node:timers/promises";
import type { ClusterStatus } from "@halon/protocol";
import type { Command } from "commander";
import type { Io } from "../io.ts";
import {
  colorOf,
  isPart,
  nodeColumns,
  type ServiceRow,
  serviceColumns,
} from "../output/columns.ts";
import { oneLine, wrapped } from "../output/table.ts";
import { showAlerts } from "./alert.ts";
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

function show({ print, io }: Session, status: ClusterStatus): void {
  if (print.format !== "table" && print.format !== "wide") {
    print.one(status, `cluster/${status.cluster.id}`);
    return;
  }
  const { id, state, leader, epoch, revision, reasons = [] } = status.cluster;
  const shown = colorOf(print.colors, state)(state);
  print.text(`Cluster ${id}: ${shown}\n`);
  print.text(`  leader ${leader ?? "none"}, epoch ${epoch}, revision ${revision}\n`);
  for (const reason of reasons) print.text(wrapped(oneLine(reason), io.columns));
  print.text("\n");
  const now = Date.now();
  showAlerts(print, status.alerts, now);
  print.list(nodeColumns(print.colors, now), status.nodes, ({ name }) => `node/${name}`);
  print.text("\n");
  const parts = status.services.filter(isPart);
  const unwell = parts.filter((row) => !isWell(row));
  // Of the parts of a node that is down its own line says enough.
  const down = status.nodes.filter(({ state }) => state === "down").map(({ name }) => name);
  const shownParts = unwell.filter(({ node }) => !down.includes(node));
  const services = [...status.services.filter((row) => !isPart(row)), ...shownParts];
  if (services.length === shownParts.length) print.text("No services. Apply a cluster file.\n");
  if (services.length > 0) {
    print.list(serviceColumns(print.colors, now), services, (row) => row.instance);
  }
  if (parts.length === 0) return;
  const well = parts.length - unwell.length;
  print.text(
    `\nParts of Halon: ${well} of ${parts.length} are well, see \`halonctl service list\`.\n`,
  );
}

/** Whether there is nothing to look at. */
function isWell({ state, health }: ServiceRow): boolean {
  return state === "running" && health === "ok";
}

async function pause(interrupted: AbortSignal): Promise<void> {
  try {
    await delay(watchMs, undefined, { signal: interrupted });
  } catch {
    // Interrupted: the loop sees it and ends.
  }
}
