import { isDeepStrictEqual } from "node:util";
import type { Json, JsonObject } from "@halon/protocol";
import { checkConfig, hashOf } from "../runtime/configuration.ts";
import { Finding, NotForIt, ok, textOf, type Verdict, warned } from "./finding.ts";
import { answerOf } from "./life-checks.ts";
import {
  type Alternative,
  alternativesTo,
  badConfigs,
  isObject,
  propertiesOf,
  type SecretReferences,
} from "./schema-values.ts";
import { reasonOf, type Stage, type Started } from "./stage.ts";

const fieldsMax = 30;
const answerMs = 5_000;

interface Tally {
  live: number;
  restarted: number;
  readonly guesses: string[];
}

export async function reconfigures(stage: Stage, secrets: SecretReferences): Promise<Verdict> {
  const { config, manifest } = stage.options;
  const all = alternativesTo(manifest.configurationSchema, config, secrets).filter(
    (other) => checkConfig(manifest, withField(config, other)).type === "valid",
  );
  const tried = all.filter((other) => isHarmless(stage, other)).slice(0, fieldsMax);
  if (tried.length === 0)
    throw new NotForIt("no other configuration can be made up from its schema");
  const tally: Tally = { live: 0, restarted: 0, guesses: [] };
  let started = await stage.start();
  for (const other of tried) started = await tryField(stage, started, other, tally);
  const { live, restarted, guesses } = tally;
  const rest = all.length - tried.length;
  const more = rest === 0 ? "" : `, ${rest} fields left out whose values are not known`;
  const said = `${live} taken while it ran, ${restarted} by a restart${more}`;
  return guesses.length === 0 ? ok(said) : warned(`${said}; ${guesses.join("; ")}`);
}

/** A made-up path is a directory that somebody makes, and an agent runs as root. */
function isHarmless({ options }: Stage, { field, isCertain }: Alternative): boolean {
  const { config, manifest } = options;
  if (isCertain) return true;
  if (manifest.kind === "ocf" || manifest.kind === "systemd") {
    const schema = propertiesOf(manifest.configurationSchema)[field];
    return isObject(schema) && schema["x-reloadable"] === true;
  }
  const present = config[field];
  return typeof present !== "string" || !present.includes("/");
}

/** Gives it one other field, and gives back one that runs with the original configuration or a fresh start of it. */
async function tryField(
  stage: Stage,
  started: Started,
  other: Alternative,
  tally: Tally,
): Promise<Started> {
  const { field, value, isCertain } = other;
  const config = withField(stage.options.config, other);
  const shown = `${field}=${JSON.stringify(value).slice(0, 40)}`;
  const refuse = (reason: string) => {
    if (isCertain) throw new Finding(`${shown}: ${reason}`);
    tally.guesses.push(`${shown}: ${reason}`);
  };
  const before = await statusOf(stage, started);
  const { service, instance } = started;
  const answer = await stage.askRunning(
    { type: "ReconfigureService", service, instance, config, configHash: hashOf(config) },
    stage.manifest.startTimeoutMs + answerMs,
  );
  if (answer.type === "ServiceReconfigured") {
    tally.live += 1;
    requireTaken(
      field,
      { before, after: await statusOf(stage, started) },
      {
        from: stage.options.config[field],
        to: value,
      },
    );
    return started;
  }
  if (answer.type !== "CommandRefused" || answer.data.code !== "HAL_CONFLICT") {
    refuse(reasonOf(answer));
    await statusOf(stage, started);
    return started;
  }
  await stage.stop(started);
  try {
    await stage.stop(await stage.start({ config }));
    tally.restarted += 1;
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    refuse(textOf(error));
  }
  return await stage.start();
}

/** One that says it has taken a field, and shows the value of before under its name as it did, has not. */
function requireTaken(
  field: string,
  { before, after }: { readonly before: Json; readonly after: Json },
  { from, to }: { readonly from: Json | undefined; readonly to: Json },
): void {
  const shows = (report: Json, value: Json | undefined) =>
    isObject(report) && Object.hasOwn(report, field) && isDeepStrictEqual(report[field], value);
  if (from === undefined || !shows(before, from) || !shows(after, from)) return;
  throw new Finding(
    `it says that it took ${field}=${JSON.stringify(to)}, and its status still shows ${JSON.stringify(from)}`,
  );
}

async function statusOf(stage: Stage, { instance, tap }: Started): Promise<Json> {
  const ask = () => tap.runner.status(stage.manifest.checkTimeoutMs);
  return await answerOf(stage, instance, ask, "Status");
}

export async function refuses(stage: Stage): Promise<Verdict> {
  const { config, manifest } = stage.options;
  const bad = badConfigs(manifest.configurationSchema, config).find(
    (each) => checkConfig(manifest, each).type === "invalid",
  );
  if (bad === undefined) throw new NotForIt("its schema refuses nothing that can be made up");
  const start = await stage.ask(
    stage.nextStart({ config: bad }),
    manifest.startTimeoutMs + answerMs,
  );
  const isRefused =
    start.type === "ServiceCouldNotStart" && start.data.code === "HAL_SCHEMA_VIOLATION";
  if (!isRefused) throw new Finding(`it was started with ${JSON.stringify(bad).slice(0, 100)}`);
  if (stage.taps.length > 0) throw new Finding("its code ran with what its schema refuses");
  return ok(start.data.reason);
}

function withField(config: JsonObject, { field, value }: Alternative): JsonObject {
  return { ...config, [field]: value };
}
