import { expect, test } from "vitest";
import { agencyOptions } from "./options.ts";

const around = { hostname: "Db_1.example", directory: "/srv", isTerminal: false };

test("without settings a member runs on loopback, and waits for two others", () => {
  expect(agencyOptions({}, around)).toEqual({
    node: {
      name: "db-1",
      dataDir: "/srv/halon-data",
      listen: { host: "127.0.0.1", port: 8528 },
      advertise: undefined,
      log: { level: "info", format: "json", file: undefined },
    },
    join: [],
    agencySize: 3,
    electionMinMs: 300,
    electionMaxMs: 600,
    compactionStep: 1_000,
    compactionKeep: 50_000,
    compactionBytes: 16_777_216,
  });
});

test("addresses to join may be repeated and separated by commas", () => {
  const { join } = agencyOptions({ join: ["a:1,b:2", "[::1]:3"] }, around);
  expect(join).toEqual(["a:1", "b:2", "[::1]:3"]);
});

test.each([
  ["an even size", { agencySize: "4" }, "1, 3, 5 or 7"],
  ["a size of words", { agencySize: "three" }, "1, 3, 5 or 7"],
  ["a joined port of 0", { join: ["a:1,b:0"] }, "--join"],
  ["an address that is none", { join: ["a"] }, "--join"],
  ["a listener for other machines", { listen: "0.0.0.0:8531" }, "--insecure"],
  ["no address to be sent to", { listen: "0.0.0.0:1", insecure: true }, "--advertise"],
  ["an election shorter than a heartbeat", { electionMinMs: "10" }, "--election.min-ms"],
  ["equal waits", { electionMinMs: "600" }, "--election.max-ms"],
  ["a fraction", { electionMaxMs: "700.5" }, "--election.max-ms"],
  ["nothing kept", { compactionKeep: "0" }, "--compaction.keep"],
  ["a negative step", { compactionStep: "-1" }, "--compaction.step"],
])("%s is a usage error that says so", (_, raw, named) => {
  expect(() => agencyOptions(raw, around)).toThrow(
    expect.objectContaining({ code: "HAL_USAGE", message: expect.stringContaining(named) }),
  );
});
