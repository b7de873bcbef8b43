import { HalonError, type JsonSchema } from "@halon/protocol";

/** What an OCF resource agent says of itself in its meta-data. */
export interface AgentDescription {
  readonly version: string;
  readonly description: string;
  /** Its parameters as a schema of configurations; unknown fields are refused. */
  readonly configurationSchema: JsonSchema;
  /** Its actions by name, as the meta-data advise; an action without a timeout has 20 s. */
  readonly actions: Readonly<
    Record<string, { readonly timeoutMs: number; readonly intervalMs?: number }>
  >;
}

/**
 * Asks an OCF resource agent of this machine, such as `ocf:heartbeat:Dummy`, for its meta-data.
 *
 * Runs `<agent> meta-data` for at most 10 s. Throws HAL_SERVICE_LOAD when there is no such agent, it cannot be run, or what it
 * writes is not meta-data.
 */
export async function describeAgent(agent: string): Promise<AgentDescription> {
  throw new HalonError("HAL_SERVICE_LOAD", `${agent} cannot be described yet`);
}
