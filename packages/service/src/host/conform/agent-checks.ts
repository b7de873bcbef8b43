import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Json, JsonObject } from "@halon/protocol";
import { callAgent, type Outcome } from "../ocf/action.ts";
import { findAgent } from "../ocf/agent.ts";
import { meaningOf } from "../ocf/codes.ts";
import { dropScratch, environmentOf, makeScratch, type Resource } from "../ocf/environment.ts";
import { Finding, NotForIt, ok, type Verdict, warned } from "./finding.ts";
import { isObject, propertiesOf } from "./schema-values.ts";
import type { Stage } from "./stage.ts";

const defaultTimeoutMs = 20_000;
const notRunning = 7;
const before = "before the start";
const bad = "/no/such/place/\u{1F4A5}";

/** Calls the agent itself, past the runtime, which would not call it in this order. */
export async function agent(stage: Stage): Promise<Verdict> {
  const { manifest, config, directory } = stage.options;
  if (manifest.ocf === undefined) throw new NotForIt("it is run by no resource agent");
  const home = join(directory, "services");
  const place = { home, service: manifest.name, directory: join(home, manifest.name) };
  mkdirSync(place.directory, { recursive: true, mode: 0o700 });
  const scratch = makeScratch(place);
  const resource = {
    agent: findAgent(manifest.ocf.agent),
    place,
    node: "conform",
    values: config,
    scratch,
  };
  const { actions } = manifest.ocf;
  const call = (action: string, values: JsonObject = config) =>
    callOnce({ ...resource, values }, action, actions[action]?.timeoutMs ?? defaultTimeoutMs);
  let isOurs = false;
  try {
    await walk(call, () => {
      isOurs = true;
    });
    const validated =
      actions["validate-all"] === undefined
        ? undefined
        : await validate(call, manifest.configurationSchema, config);
    return validated === undefined ? ok() : warned(validated);
  } finally {
    if (isOurs) await call("stop").catch(() => undefined);
    dropScratch(scratch);
  }
}

type Call = (action: string, values?: JsonObject) => Promise<number>;

async function walk(call: Call, starting: () => void): Promise<void> {
  const steps: readonly (readonly [string, number, string])[] = [
    ["monitor", notRunning, before],
    ["start", 0, ""],
    ["start", 0, "of what runs"],
    ["monitor", 0, "of what runs"],
    ["stop", 0, ""],
    ["stop", 0, "of what is stopped"],
    ["monitor", notRunning, "of what is stopped"],
  ];
  for (const [action, wanted, when] of steps) {
    if (action === "start") starting();
    const code = await call(action);
    if (code === wanted) continue;
    const said = `${`${action} ${when}`.trim()} returned ${code} (${meaningOf(code).word}), expected ${wanted}`;
    // It is not stopped: it may be somebody's.
    const isThere = when === before && code === 0;
    throw new Finding(isThere ? `${said}; does it run on this machine already?` : said);
  }
}

/** Undefined when it refuses some parameter that is wrong; many agents look at few. */
async function validate(
  call: Call,
  schema: JsonObject,
  config: JsonObject,
): Promise<string | undefined> {
  const fields = Object.entries(propertiesOf(schema)).filter(([, field]) => isObject(field));
  if (fields.length === 0) return undefined;
  for (const [name] of fields) {
    const wrong: Json = bad;
    if ((await call("validate-all", { ...config, [name]: wrong })) !== 0) return undefined;
  }
  return "validate-all takes a wrong value of every parameter";
}

async function callOnce(resource: Resource, action: string, timeoutMs: number): Promise<number> {
  const outcome = await new Promise<Outcome>((resolve) => {
    callAgent(
      {
        agent: resource.agent,
        action,
        directory: resource.place.directory,
        env: environmentOf(resource, { action, timeoutMs, intervalMs: 0 }),
        timeoutMs,
        leavesProcesses: action === "start",
      },
      resolve,
    );
  });
  switch (outcome.type) {
    case "returned":
      return outcome.code;
    case "late":
      throw new Finding(`${action} did not return within ${timeoutMs} ms`);
    case "signalled":
      throw new Finding(`${action} was ended by ${outcome.signal}`);
    case "notRun":
      throw new Finding(outcome.reason);
    case "dropped":
      throw new Finding(`${action} was ended`);
  }
}
