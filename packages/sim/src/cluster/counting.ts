import type { ClusterObserver, Scene } from "./invariants/cluster-invariant.ts";

/** Counts the rare states of a cluster, and what it did. */
export function clusterCounting(): ClusterObserver {
  const places = new Map<string, number>();
  const sent = new Map<string, number>();
  const askedIn = new Map<string, number>();
  /** By node: the record that it asked for, and of which it has not heard. */
  const appending = new Map<string, number>();
  let epoch = 0;
  return {
    saw({ world: { counters }, cluster }, what) {
      switch (what.type) {
        case "leading":
          counters.takeovers += 1;
          epoch = what.epoch;
          if (cluster.nodes.some(({ halond }) => (halond?.agent.waiting ?? 0) > 0))
            counters.takeoverWithWaitingEvents += 1;
          return;
        case "appending":
          appending.set(what.node.name, what.index);
          return;
        case "committed":
          if (appending.get(what.node.name) === what.record.index) appending.delete(what.node.name);
          return;
        case "coordinatorEnded":
          if (appending.delete(what.node.name)) counters.appendOutcomeUnknown += 1;
          return;
        case "commandsSent":
          if (what.epoch < epoch) counters.deposedSends += 1;
          return;
        case "adopted":
          counters.processAdopted += 1;
          return;
        case "commandTaken":
          if (what.verdict === "stale" || what.verdict === "refuse")
            counters.commandRefusedAsStale += 1;
          return;
        case "eventsSent": {
          const key = `${what.node.name}/${what.node.incarnation}`;
          const last = sent.get(key) ?? 0;
          for (const { sequence } of what.events) {
            if (sequence <= last) counters.eventSentAgain += 1;
            if (sequence > (sent.get(key) ?? 0)) sent.set(key, sequence);
          }
          return;
        }
        case "launched": {
          const { service, slot, token } = what.process;
          counters.servicesLaunched += 1;
          const before = places.get(service);
          if (token !== null && before !== undefined && before !== slot)
            counters.exclusiveMoved += 1;
          if (token !== null) places.set(service, slot);
          return;
        }
        case "ended":
          if (what.end === "lease") counters.leaseEndedByKeeper += 1;
          if (what.end === "stray") counters.strayEnded += 1;
          return;
        default:
      }
    },
    afterRecord({ world: { counters } }: Scene, { epoch: decidedIn, decisions }) {
      counters.records += 1;
      for (const { event, origin } of decisions) {
        if (origin.type === "client") askedIn.set(origin.id, decidedIn);
        const counter = byEvent[event.type];
        if (counter !== undefined) counters[counter] += 1;
        if (event.type !== "OperationEnded") continue;
        const { operation } = event.data as { readonly operation: string };
        if ((askedIn.get(operation) ?? decidedIn) < decidedIn)
          counters.operationOutlivedCoordinator += 1;
      }
    },
  };
}

type Counted =
  | "breakerTripped"
  | "configurationTakenBack"
  | "suspectedAndTrusted"
  | "nodeLostAndBack"
  | "serviceBroken"
  | "serviceMoved";

const byEvent: Readonly<Record<string, Counted>> = {
  BreakerTripped: "breakerTripped",
  ConfigurationReverted: "configurationTakenBack",
  NodeTrusted: "suspectedAndTrusted",
  NodeRecovered: "nodeLostAndBack",
  ServiceBroken: "serviceBroken",
  ServiceMoved: "serviceMoved",
};
