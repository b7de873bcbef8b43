import { violated } from "../../invariants/invariant.ts";
import type { Fault } from "../../scenario.ts";
import { isWish } from "../wishes.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** After the end of a fault it may lead to a loss for so long; µs. */
const afterUs = 15_000_000;

/** Faults that touch what runs in `halond`'s place, and not `halond`, its links or its member. */
const harmless: ReadonlySet<string> = new Set([
  "crashService",
  "hangService",
  "failCheck",
  "trouble",
  "exitService",
  "leak",
  "slowStart",
  "failStart",
  "ignoreStop",
  "fork",
  "flap",
  "jumpWall",
  "crashSupervisor",
]);

/**
 * C12: a node that is well is not lost, and one that is dead is down after the healing.
 *
 * A loss is fair while a fault is on that touches nodes, links or members, for a while after it, and after a start or an
 * end of any `halond` or coordinator.
 */
export function fairLosses(): ClusterInvariant {
  let fairUntilUs = afterUs;
  let known = 0;
  const extend = (us: number): void => {
    fairUntilUs = Math.max(fairUntilUs, us + afterUs);
  };
  const look = ({ world }: Scene): void => {
    const { faults, settings } = world.scenario;
    for (; known < faults.length; known++) {
      const fault = faults[known];
      if (fault === undefined || fault.at > world.now) break;
      if (isHarmful(fault)) extend(fault.at + ("forUs" in fault ? fault.forUs : 0));
    }
    if (settings.loss + settings.straggle > 0) extend(world.now);
    if (world.now >= settings.faultsUs && world.now < settings.faultsUs + afterUs)
      extend(world.now);
  };
  return {
    id: "C12",
    name: "losses are fair and in time",
    saw(scene, what) {
      if (
        what.type === "nodeStarted" ||
        what.type === "nodeEnded" ||
        what.type === "leading" ||
        what.type === "coordinatorEnded"
      )
        extend(scene.world.now);
      if (what.type !== "observed" || what.observation !== "NodeLost") return;
      look(scene);
      if (scene.world.now > fairUntilUs)
        violated("C12", `${what.node} is lost, and nothing was wrong: ${what.reason}`);
    },
    missing({ cluster, committed }) {
      const dead = cluster.nodes.find(
        ({ name, status }) =>
          status === "dead" &&
          (committed.graph.get("Node", name)?.attributes.state ?? "down") !== "down",
      );
      return dead === undefined ? null : `${dead.name} is dead, and it is not down`;
    },
  };
}

function isHarmful(fault: Fault): boolean {
  if (isWish(fault)) return fault.type === "relaunch";
  return !harmless.has(fault.type);
}
