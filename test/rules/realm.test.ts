import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Rules } from "@halon/rules";
import { describe, expect, test } from "vitest";
import { runRuleScript } from "../../packages/coordinator/src/realm/rule-script.ts";
import { bundleRuleFile } from "../../packages/service/src/host/compile/bundle.ts";
import { ruleFileManifest } from "./rule-file.ts";
import { Stage } from "./stage.ts";

const library = fileURLToPath(new URL("../../packages/rules/library/", import.meta.url));
const files = readdirSync(library).filter((file) => file.endsWith(".rules.ts"));

/** The rules as a coordinator loads them: compiled, and run where there is the language alone. */
async function inRealm(file: string): Promise<Rules> {
  const { blob } = await bundleRuleFile(`${library}${file}`);
  return runRuleScript(new TextDecoder().decode(blob.bytes), file).rules;
}

describe("a file of the library is loaded into a realm:", () => {
  test.each(files)("%s", async (file) => {
    const name = file.replace(".rules.ts", "");
    const rules = await inRealm(file);
    expect(ruleFileManifest(name, rules).rules).toEqual(Object.keys(rules.rules));
  });
});

/** A cluster with all of the library in force, as it comes out of the realm. */
async function withAll(): Promise<Stage> {
  const loaded = await Promise.all(
    files.map(async (file) => [file.replace(".rules.ts", ""), await inRealm(file)] as const),
  );
  return new Stage({
    nodes: "a b c",
    services: { web: { on: "every-node" }, db: { on: { node: "a" } }, one: {}, two: {}, four: {} },
    files: Object.fromEntries(loaded),
  });
}

describe("all of the library together, in realms,", () => {
  test("restarts a service place by place", async () => {
    const stage = await withAll();
    stage.play([
      ["JobRequested", { rule: "rolling-restart/roll", data: { service: "web" } }],
      30_000,
    ]);
    expect(stage.failures).toEqual([]);
    expect(stage.cluster.seen()).toEqual(
      expect.arrayContaining(["web@a#2 running", "web@b#2 running", "web@c#2 running"]),
    );
  });

  test("does what each file says when a node is lost, and nothing when all is well again", async () => {
    const stage = await withAll();
    stage.play(["lose a", 600_000, "back a", 600_000]);
    expect(stage.failures).toEqual([]);
    expect(stage.cluster.state.graph.list("Alert")).toEqual([]);
    stage.watch();
    stage.play([3_600_000]);
    expect(stage.commands).toEqual([]);
  });
});
