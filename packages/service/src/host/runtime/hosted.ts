import type { JsonObject } from "@halon/protocol";
import type { HeardEvent } from "../../core/index.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { checkConfig, hashOf } from "./configuration.ts";
import { type Redactor, redactorOf, withReferences } from "./secrets.ts";

/** What is kept here of an instance, beside what the site knows of it. */
export interface Hosted {
  readonly spec: RunnerSpec;
  readonly runner: Runner;
  /** Takes the values of its secrets out of what it says. */
  readonly secrets: Redactor;
  /** The configuration that it has now, with references to its secrets. */
  config: JsonObject;
  /** As of `RunnerSpec`, of that configuration. */
  configValues: () => JsonObject;
}

/** An instance that runs with what it was started with. */
export function hostedOf(spec: RunnerSpec, runner: Runner): Hosted {
  const { config } = spec;
  const configValues = () => spec.configValues();
  return { spec, runner, secrets: redactorOf(spec), config, configValues };
}

/** What the site hears of what a runner reports: without secrets, and with a configuration that its schema takes. */
export function heardOf(hosted: Hosted, event: RunnerEvent): HeardEvent {
  const { secrets } = hosted;
  switch (event.type) {
    case "problem":
    case "exiting":
    case "exited":
      return { ...event, reason: secrets.clean(event.reason) };
    case "trouble": {
      const { data } = event;
      const more = data === undefined ? {} : { data: secrets.cleanJson(data) };
      return { ...event, reason: secrets.clean(event.reason), ...more };
    }
    case "acquired":
      return { ...event, attributes: secrets.cleanJson(event.attributes) as JsonObject };
    case "reconfigured":
      return reconfigured(hosted, event.config);
    case "loaded":
    case "ready":
    case "released":
      return event;
  }
}

/** It has another configuration from now on. */
export function takeOver(hosted: Hosted, config: JsonObject, values: JsonObject): void {
  hosted.config = config;
  hosted.configValues = () => values;
}

function reconfigured(hosted: Hosted, given: JsonObject): HeardEvent {
  const config = withReferences(given, hosted.config, hosted.configValues()) as JsonObject;
  const outcome = checkConfig(hosted.spec.manifest, config);
  if (outcome.type === "invalid") return { type: "misconfigured", reason: outcome.reason };
  takeOver(hosted, outcome.config, given);
  return { type: "reconfigured", configuration: hashOf(outcome.config), config: outcome.config };
}
