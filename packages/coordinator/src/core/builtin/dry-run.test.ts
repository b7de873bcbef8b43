import { describe, expect, test } from "vitest";
import { clusterSpec, deployment, manifest } from "../../../testdata/samples.ts";
import { TestCluster } from "../../../testdata/test-cluster.ts";
import { dryRun } from "./dry-run.ts";

describe("a dry run", () => {
  const spec = clusterSpec([
    deployment("app", { on: { label: "zone=x" }, after: ["db"], apart: ["web"] }),
    deployment("db", { on: { node: "a" } }),
    deployment("web", { on: { node: "b" } }),
  ]);
  const failing = (cluster: TestCluster, service: string, node: string) => {
    const [run] = dryRun(cluster.state.graph, service, node);
    const names = run?.conditions.flatMap(({ name, holds }) => (holds ? [] : [name]));
    return `${run?.would}: ${names?.join(" ")}`;
  };

  function labelled(): TestCluster {
    const cluster = new TestCluster();
    cluster.addNode("a", { zone: "x" });
    cluster.addNode("b", { zone: "x" });
    cluster.addNode("c");
    cluster.settle();
    cluster.apply(spec);
    return cluster;
  }

  test("tells of each node what speaks against a start there, and changes nothing", () => {
    const cluster = labelled();
    const { revision } = cluster.state.graph;
    expect(failing(cluster, "app", "a")).toBe("wait: after");
    expect(failing(cluster, "app", "b")).toBe("refuse: apart after placed");
    expect(failing(cluster, "app", "c")).toBe("refuse: on after placed");
    expect(failing(cluster, "app", "nowhere")).toBe("refuse: node");
    expect(cluster.state.graph.revision).toBe(revision);
    cluster.settle();
    expect(failing(cluster, "app", "a")).toBe("nothing, it runs already: ");
    cluster.lose("c");
    expect(failing(cluster, "app", "c")).toBe("refuse: up on placed");
    expect(dryRun(cluster.state.graph, "app", undefined).map(({ node }) => node)).toEqual([
      "a",
      "b",
      "c",
    ]);
    expect(dryRun(cluster.state.graph, "unknown", undefined)).toEqual([]);
  });

  test("agrees with what a start does: it starts what a person stopped", () => {
    const cluster = labelled();
    cluster.settle();
    cluster.ask("ServiceStopRequested", { service: "app" });
    cluster.settle();
    expect(failing(cluster, "app", "a")).toBe("start: ");
    const operation = cluster.ask("ServiceStartRequested", { service: "app", on: "a" });
    cluster.settle();
    expect(cluster.operation(operation).state).toBe("done");
  });

  test("names who has the service name on a node", () => {
    const shared = (name: string) => manifest(name, { serviceName: "shared" });
    const on = { node: "a" };
    const types = [shared("one"), shared("two")];
    const both = clusterSpec([deployment("one", { on }), deployment("two", { on })], { types });
    const cluster = new TestCluster();
    cluster.addNode("a");
    cluster.settle();
    cluster.apply(both);
    const [run] = dryRun(cluster.state.graph, "two", "a");
    const name = run?.conditions.find((condition) => condition.name === "name");
    expect(name?.detail).toBe("one has the service name shared on a");
    expect(run?.would).toBe("refuse");
  });
});
