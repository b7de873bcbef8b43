import type { HalonError } from "@halon/protocol";
import { expect, test } from "vitest";
import { putWeb, tcpPort } from "../testdata/samples.ts";
import { createGraph } from "./graph.ts";
import { query } from "./query.ts";

const graph = createGraph();
graph.transact((update) => {
  putWeb(update);
  update.put("Cluster", "c-1", { name: "prod", createdAt: 0 });
  update.put("Host", "host-1", { hostname: 'host, "one"' });
  update.put<string>("Kind", tcpPort.kind, { schema: tcpPort.schema });
  update.put<string>("TcpPort", "80", { port: 80 });
  update.relate("Cluster/c-1", "contains", "Host/host-1");
  update.relate("Host/host-1", "hosts", "Node/node-1");
  update.relate("ServiceInstance/web@node-1#1", "uses", "TcpPort/80");
});

test.each([
  ["Node", ["Node/node-1"]],
  ["Node[name=node-1]", ["Node/node-1"]],
  ["Node[id=node-1,state=up]", ["Node/node-1"]],
  ["Node[id=node-1,state=down]", []],
  ["Node[id=node-2]", []],
  ["Cluster[name=prod]", ["Cluster/c-1"]],
  ["Cluster[name=c-1]", []],
  ["Cluster[id=c-1]", ["Cluster/c-1"]],
  ["ServiceInstance", ["ServiceInstance/web@node-1#1", "ServiceInstance/web@node-1#2"]],
  ["ServiceInstance[incarnation=2]", ["ServiceInstance/web@node-1#2"]],
  ["ServiceInstance[state=failed, node = node-1 ]", ["ServiceInstance/web@node-1#2"]],
  ['Host[hostname="host, \\"one\\""]', ["Host/host-1"]],
  ["TcpPort[port=80,name=80]", ["TcpPort/80"]],
  ["Node[name=node-1] -runs-> ServiceInstance[state=failed]", ["ServiceInstance/web@node-1#2"]],
  ["TcpPort<-uses-ServiceInstance<-runs-Node<-hosts-Host", ["Host/host-1"]],
  ["ServiceInstance <-runs- Node", ["Node/node-1"]],
  ["Cluster-contains->Host-hosts->Node-provides->ServiceName", ["ServiceName/web@node-1"]],
])("%s", (expression, found) => {
  expect(query(graph, expression).map(({ kind, id }) => `${kind}/${id}`)).toEqual(found);
});

test.each([
  ["", 1, /expected a kind/],
  ["node", 1, /expected a kind/],
  ["Node[", 6, /name of an attribute/],
  ["Node[state]", 11, /expected = after state/],
  ["Node[state=]", 12, /expected a value/],
  ['Node[state="up]', 12, /expected a value/],
  ["Node[state=up", 14, /expected , or \]/],
  ["Node runs", 6, /expected -relation->/],
  ["Node -runs- ServiceInstance", 11, /-> after runs/],
  ["Node -runs->", 13, /expected a kind/],
  ["Gnome", 1, /no kind Gnome.*Node.*TcpPort/],
  ["constructor", 1, /expected a kind/],
  ["Node[stat=up]", 6, /no attribute stat/],
  ["Node -loves-> Node", 7, /no relation "loves"/],
  ["Node <-runs- ServiceInstance", 8, /from ServiceInstance to Node/],
])("%s is refused at position %d", (expression, position, message) => {
  let error: HalonError | undefined;
  try {
    query(graph, expression);
  } catch (thrown) {
    error = thrown as HalonError;
  }
  expect(error).toMatchObject({ code: "HAL_BAD_REQUEST", details: { position } });
  expect(error?.message).toMatch(message);
});

test("a query is bounded in length and kinds", () => {
  const back = " -runs-> ServiceInstance <-runs- Node";
  expect(query(graph, `Node${back.repeat(7)}`)).toHaveLength(1);
  expect(() => query(graph, `Node${back.repeat(8)}`)).toThrow(/at most 16 kinds/);
  expect(() => query(graph, `Node[state=${"x".repeat(4_096)}]`)).toThrow(/at most 4096/);
});
