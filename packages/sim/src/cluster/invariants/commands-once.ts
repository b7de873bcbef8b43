import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

interface Begun {
  readonly incarnation: number;
  epoch: number;
  readonly ids: Set<string>;
}

/** C3: each command is begun at most once in a start of its node, by its node, and none that no record has. */
export function commandsOnce(): ClusterInvariant {
  const nodes = new Map<string, Begun>();
  const sent = new Set<string>();
  return {
    id: "C3",
    name: "commands are begun once",
    afterRecord(_scene, { decisions }) {
      for (const { firings } of decisions)
        for (const { commands } of firings) for (const { id } of commands) sent.add(id);
    },
    saw(_scene, what) {
      if (what.type !== "commandTaken" || what.verdict !== "begin") return;
      const { node, command } = what;
      const { id, epoch } = command;
      const known = nodes.get(node.name);
      const begun =
        known?.incarnation === node.incarnation
          ? known
          : { incarnation: node.incarnation, epoch: 0, ids: new Set<string>() };
      nodes.set(node.name, begun);
      if (command.node !== node.name)
        violated("C3", `${node.name} begins ${id}, which is for ${command.node}`);
      if (!sent.has(id)) violated("C3", `${node.name} begins ${id}, which no record has`);
      if (begun.ids.has(id)) violated("C3", `${node.name} begins ${id} for the second time`);
      if (epoch < begun.epoch)
        violated("C3", `${node.name} begins ${id} of epoch ${epoch}, and it knows ${begun.epoch}`);
      begun.ids.add(id);
      begun.epoch = epoch;
    },
  };
}
