import type { GraphView } from "./graph-view.ts";
import { compareText } from "./json.ts";
import type { ClusterSpec, DeploymentSpec } from "./manifest.ts";

/** What of a deployment can contradict itself or another one. */
export type PlacementWishes = Pick<
  DeploymentSpec,
  "name" | "type" | "on" | "replicas" | "exclusive" | "fence" | "with" | "apart" | "after"
>;

/** What a cluster has already, as far as a cluster file may build on it. */
export interface KnownCluster {
  readonly deployments: readonly PlacementWishes[];
  /** What each type requires. */
  readonly requires: ReadonlyMap<string, readonly string[]>;
  /** Whether it has a command that fences a node. */
  readonly hasFence: boolean;
}

interface Whole {
  readonly deployments: ReadonlyMap<string, PlacementWishes>;
  readonly requires: ReadonlyMap<string, readonly string[]>;
  /** Undefined: not known here. */
  readonly hasFence: boolean | undefined;
}

/**
 * Why a cluster file cannot be carried out whatever nodes there are, in one sentence that names both sides; undefined
 * when nothing contradicts.
 *
 * Without a cluster only the file is looked at: names that it does not define are taken to be known.
 */
export function contradictionIn(
  spec: Pick<ClusterSpec, "types" | "deployments" | "nodes" | "prune">,
  known: KnownCluster | undefined,
): string | undefined {
  const ofFile = partNameIn(spec) ?? countIn(spec);
  if (ofFile !== undefined) return ofFile;
  const whole = join(spec, known);
  if (known !== undefined) {
    const stranger = strangeTypeIn(spec, whole);
    if (stranger !== undefined) return stranger;
  }
  for (const deployment of whole.deployments.values()) {
    const complaint =
      aboutItself(deployment) ??
      aboutOthers(deployment, whole) ??
      aboutExclusive(deployment, whole);
    if (complaint !== undefined) return `deployment ${deployment.name} ${complaint}`;
  }
  if (known !== undefined) {
    const stranger = strangeName(whole);
    if (stranger !== undefined) return stranger;
  }
  return aboutCircles(whole);
}

/** What the cluster has that a cluster file may name. */
export function knownClusterIn(graph: GraphView): KnownCluster {
  return {
    deployments: graph
      .list("Deployment")
      .map(({ id, attributes }) => ({ name: id, ...attributes })),
    requires: new Map(
      graph.list("Service").map(({ id, attributes }) => [id, attributes.requires ?? []]),
    ),
    hasFence: graph.list("Cluster")[0]?.attributes.nodes?.fence !== undefined,
  };
}

/** Names that begin so are those of Halon's own parts and hooks. */
const partPrefix = "halon-";

/** Tells of a deployment or type that has the name of a part of Halon. */
function partNameIn({
  deployments,
  types,
}: Pick<ClusterSpec, "deployments" | "types">): string | undefined {
  const names = [
    ...deployments.map(({ name }) => ["deployment", name] as const),
    ...types.flatMap(({ name, serviceName }) =>
      [name, serviceName].map((each) => ["type", each] as const),
    ),
  ];
  const taken = names.find(([, name]) => name.startsWith(partPrefix));
  if (taken === undefined) return undefined;
  return `${taken[0]} ${taken[1]} has a name that begins with ${partPrefix}, which is kept for parts of Halon; give it another name`;
}

/** Tells of a deployment whose number is said twice. */
function countIn({ deployments }: Pick<ClusterSpec, "deployments">): string | undefined {
  const one = deployments.find((each) => each.on === "every-node" && each.replicas !== undefined);
  if (one === undefined) return undefined;
  return `deployment ${one.name} is wanted on every-node and has replicas; remove one of the two`;
}

/** Tells of a deployment of a type that neither the file nor the cluster knows. */
function strangeTypeIn(
  { deployments }: Pick<ClusterSpec, "deployments">,
  { requires }: Whole,
): string | undefined {
  const stranger = deployments.find(({ type }) => !requires.has(type));
  if (stranger === undefined) return undefined;
  return `deployment ${stranger.name} names the type ${stranger.type}, which the cluster does not know`;
}

function join(spec: Parameters<typeof contradictionIn>[0], known: KnownCluster | undefined): Whole {
  const kept = spec.prune ? [] : (known?.deployments ?? []);
  const entries = [...kept, ...spec.deployments].map((each) => [each.name, each] as const);
  const ofFile = spec.types.map((type) => [type.name, type.requires] as const);
  return {
    deployments: new Map(entries),
    requires: new Map([...(known?.requires ?? []), ...ofFile]),
    hasFence: spec.nodes === undefined ? known?.hasFence : spec.nodes.fence !== undefined,
  };
}

const lists = ["with", "apart", "after"] as const;

function aboutItself(deployment: PlacementWishes): string | undefined {
  const list = lists.find((each) => deployment[each]?.includes(deployment.name));
  return list === undefined ? undefined : `names itself in ${list}; remove it there`;
}

function aboutOthers(deployment: PlacementWishes, { deployments }: Whole): string | undefined {
  const { name, with: partners = [], apart = [] } = deployment;
  const torn = partners.find((other) => apart.includes(other));
  if (torn !== undefined) return `names ${torn} in with and in apart; remove one of the two`;
  const averse = partners.find((other) => deployments.get(other)?.apart?.includes(name));
  if (averse === undefined) return undefined;
  return `names ${averse} in with, and ${averse} names ${name} in apart; remove one of the two`;
}

function aboutExclusive(deployment: PlacementWishes, whole: Whole): string | undefined {
  const { exclusive, fence, replicas, on } = deployment;
  if (exclusive === undefined) {
    if (fence === undefined) return undefined;
    return `has fence and is not exclusive; add exclusive: "cluster" or remove fence`;
  }
  if (on === "every-node") return "is exclusive and wanted on every-node; choose one of the two";
  if (replicas !== undefined && replicas > 1)
    return `is exclusive and has ${replicas} replicas; an exclusive service runs once`;
  if (fence !== "command" || whole.hasFence !== false) return undefined;
  return `has fence "command", and the cluster file has no nodes.fence; add the command or remove fence`;
}

/** A name that neither file nor cluster knows. */
function strangeName({ deployments, requires }: Whole): string | undefined {
  for (const deployment of deployments.values()) {
    for (const list of lists) {
      const stranger = deployment[list]?.find((other) => !deployments.has(other));
      if (stranger === undefined) continue;
      return `deployment ${deployment.name} names ${stranger} in ${list}, which neither the file nor the cluster knows`;
    }
  }
  for (const [type, others] of requires) {
    const stranger = others.find((other) => !requires.has(other));
    if (stranger === undefined) continue;
    return `type ${type} requires the type ${stranger}, which neither the file nor the cluster knows`;
  }
  return undefined;
}

function aboutCircles(whole: Whole): string | undefined {
  const types = circleIn(whole.requires);
  if (types !== undefined)
    return `types require one another: ${types.join(", ")}; none could start`;
  const sole = soleByType(whole);
  const edges = (list: "with" | "after") =>
    new Map(
      [...whole.deployments.values()].map((deployment) => {
        const required = whole.requires.get(deployment.type) ?? [];
        const needed = required.flatMap((type) => sole.get(type) ?? []);
        return [deployment.name, [...(deployment[list] ?? []), ...needed]] as const;
      }),
    );
  const after = circleIn(edges("after"));
  if (after !== undefined)
    return `deployments wait for one another: ${after.join(", ")}; none would start. Remove one from after`;
  const partners = circleIn(edges("with"));
  if (partners === undefined) return undefined;
  return `deployments go with one another: ${partners.join(", ")}; none would be placed first. Remove one from with`;
}

/** The one deployment of each type; undefined for types that have several. */
function soleByType({ deployments }: Whole): ReadonlyMap<string, string | undefined> {
  const sole = new Map<string, string | undefined>();
  for (const { name, type } of deployments.values())
    sole.set(type, sole.has(type) ? undefined : name);
  return sole;
}

type Edges = ReadonlyMap<string, readonly string[]>;

/** The names of a circle, from its first one back to it. */
function circleIn(edges: Edges): readonly string[] | undefined {
  const open = leadingToCircles(edges);
  let [name] = [...open].sort(compareText);
  const path = new Set<string>();
  while (name !== undefined && !path.has(name)) {
    path.add(name);
    name = edges.get(name)?.find((to) => open.has(to));
  }
  if (name === undefined) return undefined;
  const names = [...path];
  return [...names.slice(names.indexOf(name)), name];
}

/** What is left when all that leads nowhere is taken away, again and again (Kahn, 1962). */
function leadingToCircles(edges: Edges): ReadonlySet<string> {
  const sources = new Map<string, string[]>();
  const degree = new Map<string, number>();
  for (const [from, all] of edges) {
    const targets = all.filter((to) => edges.has(to));
    degree.set(from, targets.length);
    for (const to of targets) {
      const known = sources.get(to);
      if (known === undefined) sources.set(to, [from]);
      else known.push(from);
    }
  }
  const ended = [...degree].flatMap(([name, count]) => (count === 0 ? [name] : []));
  for (const name of ended) {
    for (const from of sources.get(name) ?? []) {
      const left = (degree.get(from) ?? 0) - 1;
      degree.set(from, left);
      if (left === 0) ended.push(from);
    }
  }
  const gone = new Set(ended);
  return new Set([...edges.keys()].filter((name) => !gone.has(name)));
}
