import type { World } from "../world.ts";
import { answerRunning } from "./bootstrap.ts";
import type { HttpRequest } from "./bootstrap-http.ts";
import { leaderAddress } from "./exchange.ts";
import type { SimHalond } from "./halond.ts";

/** A running node is said hello to, or asked who it is. */
export function answerHello(world: World, halond: SimHalond, request: HttpRequest): void {
  const { node, replica } = halond;
  if (node.setup === null) return;
  const nodes = replica.graph
    .list("Node")
    .map(({ id, attributes }) => ({ name: id, address: attributes.address }));
  const running = { node, setup: node.setup, leader: leaderAddress(halond), nodes };
  answerRunning(world, running, request);
}
