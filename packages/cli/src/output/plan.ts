import type { ClusterPlan, PlanEntry } from "@halon/api";
import type { PlannedActions } from "@halon/protocol";
import { type PlanRow, planColumns } from "./columns.ts";
import type { Printer } from "./print.ts";
import { oneLine, wrapped } from "./table.ts";

interface View {
  readonly print: Printer;
  readonly columns: number;
}

/** Whether applying the cluster file would do anything. */
export function isDifferent({ changes, actions }: ClusterPlan): boolean {
  return changes.length > 0 || (actions?.commands.items.length ?? 0) > 0;
}

/** What would change, and what would follow: grouped for people, or data. */
export function showPlan({ print, columns }: View, plan: ClusterPlan): void {
  if (isData(print, plan)) return;
  if (!isDifferent(plan)) {
    print.say("nothing would change");
    return;
  }
  print.text("Changes\n");
  print.list(planColumns, plan.changes.flatMap(withRules), ({ what, name }) => `${what}/${name}`);
  if (plan.actions !== undefined) showActions({ print, columns }, plan.actions);
}

/** What would change, each difference in a line of its own. */
export function showDiff({ print, columns }: View, plan: ClusterPlan): void {
  if (isData(print, plan)) return;
  if (!isDifferent(plan)) print.say("there is no difference");
  for (const { action, what, name, detail, differences, rules = [] } of plan.changes) {
    print.text(`${signs[action]} ${what} ${oneLine(name)}\n`);
    for (const difference of differences ?? [detail])
      print.text(wrapped(`  ${oneLine(difference)}`, columns));
    for (const { action: of, rule, pattern } of rules) {
      if (of === "keep") continue;
      print.text(
        wrapped(`  ${signs[of]} ${rule}${pattern === undefined ? "" : `: ${pattern}`}`, columns),
      );
    }
  }
}

const signs = { add: "+", change: "~", remove: "-" } as const;

/** For programs: all of it at once, or a line for each change. */
function isData(print: Printer, plan: ClusterPlan): boolean {
  switch (print.format) {
    case "json":
    case "yaml":
      print.one(plan, "plan");
      return true;
    case "ndjson":
    case "name":
      print.list(planColumns, plan.changes, ({ what, name }) => `${what}/${name}`);
      return true;
    case "table":
    case "wide":
      return false;
  }
}

/** The rules that come or go with a file stand below it. */
function withRules(entry: PlanEntry): readonly PlanRow[] {
  const rows = (entry.rules ?? []).flatMap(({ action, rule, pattern = "" }) =>
    action === "keep"
      ? []
      : [{ action, what: "rule", name: `${entry.name}/${rule}`, detail: pattern }],
  );
  return [entry, ...rows];
}

function showActions(view: View, actions: PlannedActions): void {
  const { print, columns } = view;
  const { rules, resources, commands, events, failures, cut } = actions;
  section(view, "Rules that would act", rules, () =>
    print.list(
      [
        { title: "RULE", value: ({ rule }) => rule },
        { title: "TIMES", value: ({ times }) => times },
        { title: "WHY", value: ({ why }) => why, canShrink: true },
      ],
      rules.items,
      ({ rule }) => rule,
    ),
  );
  section(view, "Resources that would change", resources, () =>
    showGroups(
      print,
      ["ACTION", "KIND", "NAMES"],
      resources.items.map(({ action, key }) => {
        const at = key.indexOf("/");
        return { group: [action, key.slice(0, at)], name: key.slice(at + 1) };
      }),
    ),
  );
  section(view, "Commands that would be sent", commands, () =>
    showGroups(
      print,
      ["COMMAND", "NODE", "INSTANCES"],
      commands.items.map(({ command, node, target }) => ({ group: [command, node], name: target })),
    ),
  );
  section(view, "Events that rules would publish", events, () =>
    print.list(
      [
        { title: "TYPE", value: ({ type }) => type },
        { title: "TIMES", value: ({ times }) => times },
        { title: "RULE", value: ({ rule }) => rule, canShrink: true },
      ],
      events.items,
      ({ type }) => type,
    ),
  );
  if (failures.length > 0) print.text("\nRule files that could not take part\n");
  for (const { file, reason } of failures)
    print.text(wrapped(`${file}: ${oneLine(reason)}`, columns));
  if (cut !== undefined) print.text(`\n${wrapped(`Not all of it: ${oneLine(cut)}.`, columns)}`);
  print.say("nodes are taken to do at once what they are told; nothing was changed");
}

function section(
  { print }: View,
  title: string,
  { items, more }: { readonly items: readonly unknown[]; readonly more: number },
  show: () => void,
): void {
  if (items.length === 0) return;
  print.text(`\n${title}\n`);
  show();
  if (more > 0) print.text(`… and ${more} more\n`);
}

interface Group {
  readonly group: readonly string[];
  readonly names: string[];
}

/** Names of one group in one line. */
function showGroups(
  print: Printer,
  [first, second, third]: readonly [string, string, string],
  items: readonly { readonly group: readonly string[]; readonly name: string }[],
): void {
  const groups = new Map<string, Group>();
  for (const { group, name } of items) {
    const known = groups.get(group.join(" "));
    if (known === undefined) groups.set(group.join(" "), { group, names: [name] });
    else known.names.push(name);
  }
  print.list<Group>(
    [
      { title: first, value: ({ group }) => group[0] },
      { title: second, value: ({ group }) => group[1] },
      { title: "COUNT", value: ({ names }) => names.length },
      { title: third, value: ({ names }) => names.join(", "), canShrink: true },
    ],
    [...groups.values()],
    ({ group }) => group.join("/"),
  );
}
