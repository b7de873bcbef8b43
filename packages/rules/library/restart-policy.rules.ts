/** What the built-in restart policy lacks: restarts by warnings, and of a whole group. */
import {
  count,
  type DoContext,
  debounce,
  defineRules,
  events,
  on,
  type Rule,
  type RuleGraph,
  z,
} from "@halon/rules";
import { msOf, Time } from "./duration.ts";
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
  /** A service is not restarted more often on one node within that time: then people are told. */
  atMost: z.number().int().min(1).max(1_000).default(5),
  per: Time.default("1h"),
  /** By name: when one of its services fails so often, the others are restarted. */
  groups: z.record(Name, Group).default({}),
});

interface At {
  readonly service: string;
  readonly node: string;
}

export default defineRules(
  ({ services, warnings, within, longest, atMost, per, groups }) => {
    const isLookedAt = (service: string): boolean =>
      services.length === 0 || services.includes(service);
    const isUnwell = (health: string): boolean => health === "warn" || health === "fail";
    const restart = (
      {
        command,
        memory,
        now,
        alert,
      }: Pick<DoContext<unknown>, "command" | "memory" | "now" | "alert">,
      { service, node }: At,
      reason: string,
    ): void => {
      const at = `${service}@${node}`;
      const known = (memory.get(at) ?? []) as readonly number[];
      const recent = known.filter((time) => time > now - msOf(per));
      if (recent.length >= atMost) {
        const text = `${at}: ${reason}; it is not restarted again, as it was ${recent.length} times within ${per}`;
        alert.raise(at, { severity: "warning", text });
        return;
      }
      memory.set(at, [...recent, now]);
      command.restart(service, { on: node, reason });
    };
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
        .do((context) => {
          const { event, match } = context;
          restart(context, event, `it has warned ${match.count} times within ${within}`);
        }),

      warnsLong: on(
        debounce(events.ServiceHealthChanged, {
          quiet: longest,
          by: (e) => e.instance,
          where: (e) => isLookedAt(e.service),
        }),
      )
        .where(({ match, graph }) => isUnwell(match.last.health) && mayRestart(graph, match.key))
        .do((context) => {
          const { last } = context.match;
          restart(context, last, `its health is ${last.health} for ${longest}`);
        }),

      getsWell: on(events.ServiceHealthChanged)
        .where(({ event }) => event.health === "ok")
        .do(({ event, alert }) => alert.clear(`${event.service}@${event.node}`, "it is well")),
      startsAnew: on(events.ServiceStarted).do(({ event, alert }) =>
        alert.clear(`${event.service}@${event.node}`, "it was started anew"),
      ),

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
