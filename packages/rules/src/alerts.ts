import { events, type GraphUpdate, type GraphView } from "@halon/protocol";
import type { AlertContext } from "./rule.ts";

/** Alerts that may stand when a rule file raises another: of all files, and of that one. */
export const alertsMax = 10_000;
export const alertsOfFileMax = 1_000;

const keyCharsMax = 190;
const textCharsMax = 1_000;

/** The rule file of the built-in rules: bounded by what is in the cluster. */
const builtIn = "builtin";

/** What alerts need of a firing. */
interface AlertFiring {
  readonly rule: string;
  readonly file: string;
  readonly wallTime: number;
  readonly view: GraphView;
  readonly update: GraphUpdate;
  publish(event: typeof events.AlertRaised | typeof events.AlertCleared, data: unknown): void;
  why(text: string): void;
}

/**
 * Alerts as resources of the graph, `Alert/<file>/<key>`.
 *
 * At the bound an alert is not raised, and the reason of the firing says so: what else the rule does must not fail by it.
 */
export function alertContext(firing: AlertFiring): AlertContext {
  return {
    raise: (key, alert) => raise(firing, key, alert),
    clear: (key, reason) => clear(firing, key, reason),
  };
}

function raise(
  firing: AlertFiring,
  key: string,
  { severity, text }: Parameters<AlertContext["raise"]>[1],
): void {
  const { rule, file, wallTime, view, update } = firing;
  const id = idOf(file, key);
  const shown = text.length <= textCharsMax ? text : `${text.slice(0, textCharsMax - 1)}…`;
  const known = view.get("Alert", id)?.attributes;
  if (known === undefined) {
    const refusal = refusalOf(firing);
    if (refusal !== undefined) {
      firing.why(`the alert ${key} is not raised: ${refusal}`);
      return;
    }
  }
  if (known === undefined) tally(firing, file, 1);
  const { since = wallTime, count = 0 } = known ?? {};
  const alert = { key, rule, severity, text: shown };
  update.put("Alert", id, { ...alert, since, count: count + 1 });
  if (known?.severity === severity) return;
  firing.publish(events.AlertRaised, { alert: id, ...alert });
  say(firing, `raises the alert ${key}, ${severity}: ${shown}`);
}

function clear(firing: AlertFiring, key: string, reason: string | undefined): void {
  const id = idOf(firing.file, key);
  const known = firing.view.get("Alert", id)?.attributes;
  if (known === undefined) return;
  forgetAlert(firing, id);
  const { rule, severity, text } = known;
  const why = reason?.slice(0, textCharsMax);
  const because = why === undefined ? {} : { reason: why };
  firing.publish(events.AlertCleared, { alert: id, rule, key, severity, text, ...because });
  say(firing, `clears the alert ${key}${why === undefined ? "" : `: ${why}`}`);
}

/** The built-in rules give the reason themselves. */
function say({ file, why }: AlertFiring, text: string): void {
  if (file !== builtIn) why(text);
}

function refusalOf({ view, file }: AlertFiring): string | undefined {
  if (file === builtIn) return undefined;
  if (view.get("RuleFile", file)?.attributes.retired === true)
    return "its rule file was removed, and is there for its jobs alone";
  const { [file]: own = 0, ...others } = view.list("Cluster")[0]?.attributes.alerts ?? {};
  if (own >= alertsOfFileMax)
    return `${own} alerts of its file stand, at most ${alertsOfFileMax} may`;
  const all = Object.values(others).reduce((sum, each) => sum + each, own);
  return all < alertsMax ? undefined : `${all} alerts stand, at most ${alertsMax} may`;
}

/** Takes the alert out of the graph. */
export function forgetAlert(
  graph: { readonly view: GraphView; readonly update: GraphUpdate },
  id: string,
): void {
  graph.update.remove("Alert", id);
  tally(graph, id.slice(0, id.indexOf("/")), -1);
}

function tally(
  { view, update }: { readonly view: GraphView; readonly update: GraphUpdate },
  file: string,
  change: number,
): void {
  const [cluster] = view.list("Cluster");
  if (cluster === undefined || file === builtIn) return;
  const { [file]: before = 0, ...others } = cluster.attributes.alerts ?? {};
  const now = before + change;
  const alerts = now === 0 ? others : { ...others, [file]: now };
  const isNone = Object.keys(alerts).length === 0;
  update.patch("Cluster", cluster.id, { alerts: isNone ? undefined : alerts });
}

function idOf(file: string, key: string): string {
  if (typeof key !== "string" || key === "" || key.length > keyCharsMax)
    throw new RangeError(
      `the key of an alert is a text of 1 to ${keyCharsMax} characters, got ${JSON.stringify(String(key).slice(0, 100))}`,
    );
  return `${file}/${key}`;
}

/** Alerts that the rules of the file have raised. */
export function alertsOf(view: GraphView, file: string) {
  return view.list("Alert").filter(({ id }) => id.startsWith(`${file}/`));
}
