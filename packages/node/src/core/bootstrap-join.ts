import { ClusterConfig, type ErrorCode, errorCodes, HostPort } from "@halon/protocol";
import { z } from "zod";
import { contradictionIn, type Setup, withConfig } from "./bootstrap-setup.ts";

/** What came back from `/hello` at an address. */
export type HelloReply =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly location: string | undefined;
      /** Parsed; undefined when it is no JSON. */
      readonly body: unknown;
    }
  /** Nobody answered: closed, refused, no answer in time. */
  | { readonly type: "none"; readonly reason: string }
  | { readonly type: "tooLarge" };

/** What a joiner does next. */
export type JoinStep =
  /** Ask again in a while; `why` is a part of a sentence. */
  | { readonly type: "again"; readonly why: string }
  /** Ask there, at once. */
  | { readonly type: "ask"; readonly address: string }
  /** Say hello again: the cluster does not know this node. */
  | { readonly type: "unknown" }
  /** Write it to disk, then go on with it. */
  | { readonly type: "config"; readonly config: ClusterConfig }
  | { readonly type: "end"; readonly code: ErrorCode; readonly message: string };

const ErrorBody = z.object({ errorCode: z.string().optional(), errorMessage: z.string() });

/** Reads the answer to a `POST` or `GET` of `/hello` that was sent to the address. */
export function joinStep(
  setup: Setup,
  asked: { readonly method: "POST" | "GET"; readonly address: string },
  reply: HelloReply,
): JoinStep {
  const { address } = asked;
  if (reply.type === "none") return { type: "again", why: `${address}: ${reply.reason}` };
  if (reply.type === "tooLarge") return noNode(address, "with more than 1 MiB");
  const { status, body } = reply;
  if (status === 200) return taken(setup, asked, body);
  if (status === 307) return redirected(address, reply.location);
  const said = ErrorBody.safeParse(body).data;
  if (status === 503 || status === 404) {
    return {
      type: "again",
      why: `${address} answers ${status}${said === undefined ? "" : `: ${said.errorMessage}`}`,
    };
  }
  if (said === undefined) return noNode(address, `with status ${status}`);
  return { type: "end", code: codeOf(said.errorCode), message: said.errorMessage };
}

function taken(
  setup: Setup,
  { method, address }: { readonly method: "POST" | "GET"; readonly address: string },
  body: unknown,
): JoinStep {
  const parsed = ClusterConfig.safeParse(body);
  if (!parsed.success) return noNode(address, "with something that is no configuration");
  const config = parsed.data;
  if (setup.clusterId !== null && setup.clusterId !== config.clusterId) {
    const message = `${address} is of the cluster ${config.clusterId}, and this node joined the cluster ${setup.clusterId}. If that one lost its disk, begin again here with --forget-setup; else check --join.`;
    return { type: "end", code: "HAL_CONFLICT", message };
  }
  const isListed = config.peers.some(({ id }) => id === setup.id);
  if (!isListed) {
    if (method === "GET") return { type: "unknown" };
    return noNode(address, "with a configuration that leaves this node out");
  }
  if (setup.phase === "joining" && isOlder(setup, config))
    return { type: "again", why: `${address} has an older configuration than this node` };
  const contradiction = contradictionIn(withConfig(setup, config));
  return contradiction === null
    ? { type: "config", config }
    : noNode(address, `with a configuration in which ${contradiction}`);
}

/** A node that was listed once stays listed: an answer that lacks one is from before. */
function isOlder(setup: Setup, { peers }: ClusterConfig): boolean {
  const ids = new Set(peers.map(({ id }) => id));
  return setup.peers.some(({ id }) => !ids.has(id));
}

function redirected(address: string, location: string | undefined): JoinStep {
  const target = /^http:\/\/([^/]+)\/hello$/.exec(location ?? "")?.[1];
  if (HostPort.safeParse(target).success && target !== undefined)
    return { type: "ask", address: target };
  return noNode(address, `with a redirect to ${JSON.stringify((location ?? "").slice(0, 200))}`);
}

function noNode(address: string, how: string): JoinStep {
  const message = `${address} answers ${how}, as no halond does. Name a node of the cluster with --join HOST:PORT.`;
  return { type: "end", code: "HAL_FAILED", message };
}

function codeOf(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : "HAL_FAILED";
}
