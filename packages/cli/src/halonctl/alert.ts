import type { AlertEntry } from "@halon/protocol";
import type { Command } from "commander";
import type { Io } from "../io.ts";
import { alertColumns } from "../output/alert-columns.ts";
import type { Printer } from "../output/print.ts";
import { action } from "./session.ts";

/** Alerts that `status` shows. */
const shownMax = 10;

/** `alert`. */
export function addAlert(program: Command, io: Io): void {
  program
    .command("alert")
    .description("what rules want people to look at")
    .command("list", { isDefault: true })
    .description("alerts that stand, the most severe first (default)")
    .action(
      action(io, async ({ client, print }) => {
        const alerts = await client.alerts();
        const columns = alertColumns(print.colors, Date.now());
        print.list(columns, alerts, ({ alert }) => `alert/${alert}`);
      }),
    );
}

/** The alerts that stand, as a part of what people see of the cluster; nothing when there are none. */
export function showAlerts(print: Printer, alerts: readonly AlertEntry[], now: number): void {
  if (alerts.length === 0) return;
  const shown = alerts.slice(0, shownMax);
  print.list(alertColumns(print.colors, now), shown, ({ alert }) => `alert/${alert}`);
  const more = alerts.length - shown.length;
  if (more > 0) print.text(`and ${more} more, see \`halonctl alert list\`\n`);
  print.text("\n");
}
