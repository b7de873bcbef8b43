/** What the built-in restart policy lacks: restarts by warnings, and of a whole group. */
import {
  count,
  debounce,
  defineRules,
  events,
  on,
  type Rule,
  type RuleGraph,
  z,
} from "@halon/rules";
import { Time } from "./duration.ts";
import { Name } from "./names.ts";

const Group = z.strictObject({
  services: z.array(Name).min(2).max(100),
  failures: z.number().int().min(1).max(1_000).default(3),
  within: Time.default("10m"),
});

const Options = z.strictObject({
  /** Services that are looked at; empty: all. */
  services: z.array(Name).max(1_000).default([]),
  /** So often must one instance begin to warn within that time. */
  warnings: z.number().int().min(1).max(1_000).default(3),
  within: Time.default("10m"),
  /** An instance that does not get well for so long is restarted too. */
  longest: Time.default("5m"),
  /** By name: when one of its services fails so often, the others are restarted. */
  groups: z.record(Name, Group).default({}),
});

export default defineRules(
  ({ services, warnings, within, longest, groups }) => {
    const isLookedAt = (service: string): boolean =>
      services.length === 0 || services.includes(service);
    const isUnwell = (health: string): boolean => health === "warn" || health === "fail";
    return {
      warnsOften: on(
        count(events.ServiceHealthChanged, {
          atLeast: warnings,
          within,
          by: (e) => e.instance,
          where: (e) => isUnwell(e.health) && isLookedAt(e.service),
        }),
      )
        .where(({ match, graph }) => mayRestart(graph, match.key))
        .do(({ event, match, command }) => {
          const reason = `it has warned ${match.count} times within ${within}`;
          command.restart(event.service, { on: event.node, reason });
        }),

      warnsLong: on(
        debounce(events.ServiceHealthChanged, {
          quiet: longest,
          by: (e) => e.instance,
          where: (e) => isLookedAt(e.service),
        }),
      )
        .where(({ match, graph }) => isUnwell(match.last.health) && mayRestart(graph, match.key))
        .do(({ match, command }) => {
          const { service, node, health } = match.last;
          command.restart(service, { on: node, reason: `its health is ${health} for ${longest}` });
        }),

      ...Object.fromEntries(
        Object.entries(groups).map(([name, group]) => [
          `group-${name}`,
          restartOthers(name, group),
        ]),
      ),
    };
  },
  { options: Options },
);

/** What has failed starts again by its own policy, which ends when it breaks: so does this. */
function restartOthers(name: string, { services, failures, within }: z.infer<typeof Group>): Rule {
  return on(
    count(events.ServiceFailed, {
      atLeast: failures,
      within,
      by: (e) => e.service,
      where: (e) => services.includes(e.service),
    }),
  ).do(({ match, graph, command }) => {
    const reason = `${match.key} of the group ${name} has failed ${match.count} times within ${within}`;
    for (const service of services.filter((each) => each !== match.key))
      for (const { id, attributes } of graph.list("ServiceInstance", { service }))
        if (mayRestart(graph, id)) command.restart(service, { on: attributes.node, reason });
  });
}

/** Whether a restart now does what it should: somebody wants the instance, and nobody works on its node. */
function mayRestart(graph: RuleGraph, instance: string): boolean {
  const { state, node = "" } = graph.get("ServiceInstance", instance)?.attributes ?? {};
  const isThere = state === "running" || state === "degraded";
  const isInMaintenance = graph.get("Node", node)?.attributes.mode === "maintenance";
  return isThere && !isInMaintenance && graph.wants(instance);
}
