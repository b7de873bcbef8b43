import { existsSync } from "node:fs";
import { join } from "node:path";
import { defaultPort, isWildcard } from "./common-options.ts";
import type { StartOptions } from "./options.ts";
import type { NodeOptions } from "./run.ts";

export type LocalOptions = StartOptions & { readonly local: number };

/** The directory of node `number`, and whether it starts from what it was before. */
export function localDirectory({ node }: StartOptions, number: number) {
  const dataDir = join(node.dataDir, `node-${number}`);
  return { dataDir, isKnown: !node.forgetSetup && existsSync(join(dataDir, "setup.json")) };
}

/**
 * The options of node `number` of a local cluster; `master` is `host:port` of the first, null for that itself.
 *
 * A node that was there before starts from its own setup, so that what was not given now is as it was then.
 */
export function localNode(
  options: LocalOptions,
  number: number,
  master: string | null,
): NodeOptions {
  const { node, local } = options;
  const { dataDir, isKnown } = localDirectory(options, number);
  const isOld = localDirectory(options, 1).isKnown;
  const name = `node-${number}`;
  const listen = isKnown && node.listen === undefined ? undefined : listenOf(node.listen, number);
  const host = listen === undefined || !isWildcard(listen.host) ? undefined : loopbackOf(listen);
  return {
    ...node,
    name,
    dataDir,
    listen,
    advertise: host === undefined ? undefined : `${host}:${listen?.port}`,
    join: isKnown || master === null ? [] : [master],
    // An older cluster has its size already.
    agencySize: node.agencySize ?? (isOld ? undefined : local < 3 ? 1 : 3),
    local: number,
    log: {
      ...node.log,
      file: node.log.file === undefined ? undefined : `${node.log.file}.${name}`,
    },
  };
}

/** `host:port` at which node 1 will be reached; null when only it can tell. */
export function masterAddress(options: LocalOptions): string | null {
  if (localDirectory(options, 1).isKnown) return null;
  const { listen, advertise } = localNode(options, 1, null);
  if (listen === undefined || listen.port === 0) return null;
  return advertise ?? hostPort(listen);
}

/** The command line that gives these options. */
export function argumentsOf(node: NodeOptions): readonly string[] {
  return [
    "start",
    ...given("--name", node.name),
    ...["--data-dir", node.dataDir],
    ...given("--listen", node.listen === undefined ? undefined : hostPort(node.listen)),
    ...given("--advertise", node.advertise),
    ...node.join.flatMap((address) => ["--join", address]),
    ...given("--agency-size", node.agencySize),
    ...given("--local-node", node.local),
    ...given("--store", node.store),
    ...Object.entries(node.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...given("--allow-run", node.allowRun),
    ...(node.forgetSetup ? ["--forget-setup"] : []),
    ...(node.insecure ? ["--insecure"] : []),
    ...["--log.level", node.log.level, "--log.format", node.log.format],
    ...given("--log.file", node.log.file),
  ];
}

/** A line that a POSIX shell reads as exactly these words. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) =>
      /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
    )
    .join(" ");
}

type Listen = NonNullable<NodeOptions["listen"]>;

function listenOf(base: NodeOptions["listen"], number: number): Listen {
  const { host, port } = base ?? { host: "127.0.0.1", port: defaultPort };
  return { host, port: port === 0 ? 0 : port + (number - 1) * 10 };
}

function loopbackOf({ host }: Listen): string {
  return host.includes(":") ? "[::1]" : "127.0.0.1";
}

function hostPort({ host, port }: Listen): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function given(option: string, value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [option, String(value)];
}
