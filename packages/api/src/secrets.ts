import {
  builtInEvents,
  type ClusterSpec,
  type GraphView,
  HalonError,
  type Json,
  type JsonObject,
  keyOf,
  secretProblem,
} from "@halon/protocol";

/**
 * Refuses a configuration that has the value of a secret where a reference belongs, before it is in the log for ever.
 *
 * Throws HAL_SCHEMA_VIOLATION, which never repeats the value.
 */
export function refuseSecretValue(schema: JsonObject, config: JsonObject, service: string): void {
  const problem = secretProblem(schema, config);
  if (problem === undefined) return;
  throw new HalonError("HAL_SCHEMA_VIOLATION", `The service ${service}: ${problem}.`);
}

/** The same of every deployment of a cluster file. */
export function refuseSecretValues(spec: ClusterSpec, graph: GraphView): void {
  const schemas = new Map(spec.types.map((type) => [type.name, type.configurationSchema]));
  for (const { name, type, config } of spec.deployments) {
    const known = graph.out(keyOf("Service", type), "accepts", "Schema")[0]?.attributes.schema;
    const schema = schemas.get(type) ?? known;
    if (schema !== undefined) refuseSecretValue(schema, config, name);
  }
}

/** The same of an event that is sent without the route that is made for it. */
export function refuseSecretsIn(type: string, data: Json, graph: GraphView): void {
  if (type === "ClusterApplied") {
    const { spec } = builtInEvents.ClusterApplied.schema.parse(data);
    refuseSecretValues(spec, graph);
  }
  if (type === "ConfigurationRequested") {
    const { service, config } = builtInEvents.ConfigurationRequested.schema.parse(data);
    const deployed = graph.get("Deployment", service)?.attributes.type ?? service;
    const schema = graph.out(keyOf("Service", deployed), "accepts", "Schema")[0];
    if (schema !== undefined) {
      refuseSecretValue(schema.attributes.schema as JsonObject, config as JsonObject, service);
    }
  }
}
