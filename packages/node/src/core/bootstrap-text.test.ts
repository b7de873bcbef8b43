import { expect, test } from "vitest";
import { masterConfig } from "./bootstrap.ts";
import { masterText } from "./bootstrap-text.ts";
import { nodeId, setupOf } from "./testing.ts";

const cluster = "11111111-1111-4111-8111-111111111111";

test("a master tells what is missing, the command of the other machines, and how to run alone", () => {
  const setup = setupOf(1);
  expect(masterText(setup, masterConfig(setup, cluster), false)).toBe(
    `waiting for 2 more nodes (1 of 3). On the other machines:
  halond start --listen <address>:8528 --insecure --join 10.0.0.1:8528
To run alone: halond start --agency-size 1`,
  );
});

test("a master of a list tells the list", () => {
  const setup = setupOf(1, { join: ["10.0.0.2:8528", "10.0.0.1:8528"] });
  const text = masterText(setup, masterConfig(setup, cluster), false);
  expect(text).toContain("--join 10.0.0.2:8528,10.0.0.1:8528\n");
});

test("on loopback the command is one for this machine, with a name, a directory and a port of its own", () => {
  const setup = setupOf(1, { listen: { host: "::1", port: 8528 } });
  expect(masterText(setup, masterConfig(setup, cluster), true)).toContain(
    "\n  halond start --name <name> --data-dir <dir> --listen [::1]:0 --join [::1]:8528\n",
  );
});

test("once somebody has joined there is no way to run alone", () => {
  const setup = setupOf(1);
  const config = masterConfig(setup, cluster);
  const peer = { id: nodeId(2), name: "b", address: "b:1", role: "tracking" } as const;
  const text = masterText(setup, { ...config, peers: [...config.peers, peer] }, false);
  expect(text).toContain("waiting for 1 more node (2 of 3).");
  expect(text).not.toContain("alone");
});

test("within --local the launcher starts the others", () => {
  const setup = setupOf(1, { local: 1 });
  expect(masterText(setup, masterConfig(setup, cluster), true)).toBe(
    "waiting for 2 more nodes (1 of 3).",
  );
});
