/** Tells people of services and nodes that fail and come back again and again. */
import { count, debounce, defineRules, events, on, z } from "@halon/rules";
import { Time } from "./duration.ts";
import { Severity } from "./names.ts";

const Options = z.strictObject({
  /** Failures of a service on one node, or suspicions of a node, within that time. */
  failures: z.number().int().min(2).max(1_000).default(3),
  within: Time.default("10m"),
  /** The alert is cleared when nothing of it has happened for so long. */
  quiet: Time.default("10m"),
  severity: Severity.default("warning"),
});

const place = (e: { readonly service: string; readonly node: string }) => `${e.service}@${e.node}`;
const node = (e: { readonly node: string }) => e.node;

export default defineRules(
  ({ failures: atLeast, within, quiet, severity }) => ({
    serviceFlaps: on(count(events.ServiceFailed, { atLeast, within, by: place })).do(
      ({ match, event, alert }) => {
        const text = `${match.key} has failed ${match.count} times within ${within}, last: ${event.reason}`;
        alert.raise(`service ${match.key}`, { severity, text });
      },
    ),

    serviceIsCalm: on(debounce(events.ServiceFailed, { quiet, by: place })).do(({ match, alert }) =>
      alert.clear(`service ${match.key}`, `no failure for ${quiet}`),
    ),

    healthFlaps: on(
      count(events.ServiceHealthChanged, {
        atLeast,
        within,
        by: place,
        where: (e) => e.health === "warn" || e.health === "fail",
      }),
    ).do(({ match, alert }) => {
      const text = `the health of ${match.key} has turned bad ${match.count} times within ${within}`;
      alert.raise(`health ${match.key}`, { severity, text });
    }),

    healthIsCalm: on(debounce(events.ServiceHealthChanged, { quiet, by: place })).do(
      ({ match, alert }) => alert.clear(`health ${match.key}`, `it has not changed for ${quiet}`),
    ),

    nodeFlaps: on(count(events.NodeSuspected, { atLeast, within, by: node })).do(
      ({ match, event, alert }) => {
        const text = `${match.key} was suspected ${match.count} times within ${within}, last: ${event.reason}`;
        alert.raise(`node ${match.key}`, { severity, text });
      },
    ),

    nodeIsCalm: on(debounce(events.NodeSuspected, { quiet, by: node })).do(({ match, alert }) =>
      alert.clear(`node ${match.key}`, `not suspected for ${quiet}`),
    ),
  }),
  { options: Options },
);
