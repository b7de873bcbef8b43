import { expect, test } from "vitest";
import { address } from "./common-options.ts";
import { refuseSecrets, startOptions } from "./options.ts";

const around = { hostname: "Db_1.example", directory: "/srv", isTerminal: false };

test("without settings a node runs on loopback and keeps its data below the working directory", () => {
  expect(startOptions({}, around)).toEqual({
    local: undefined,
    apply: [],
    node: {
      name: "db-1",
      dataDir: "/srv/halon-data",
      listen: { host: "127.0.0.1", port: 8528 },
      advertise: undefined,
      labels: {},
      join: [],
      insecure: false,
      log: { level: "info", format: "json", file: undefined },
    },
  });
});

test.each([
  ["a port that is too large", { listen: "127.0.0.1:65536" }, "65535"],
  ["a negative port", { listen: "127.0.0.1:-1" }, "HOST:PORT"],
  ["a port that is none", { listen: "127.0.0.1:8528a" }, "8528a"],
  ["a listener for other machines", { listen: "0.0.0.0:8528" }, "--insecure"],
  ["no address to be sent to", { listen: "0.0.0.0:8528", insecure: true }, "--advertise"],
  ["an advertised port of 0", { advertise: "db-1:0" }, "port"],
  ["a joined port of 0", { join: ["db-1:0"] }, "--join"],
  ["a name with a path", { name: "../x" }, "--name"],
  ["an empty name", { name: "" }, "--name"],
  ["a label without value", { label: ["zone"] }, "KEY=VALUE"],
  ["an even agency", { agencySize: "2" }, "1, 3, 5 or 7"],
  ["a word as agency size", { agencySize: "three" }, "1, 3, 5 or 7"],
  ["no local nodes", { local: "0" }, "--local"],
  ["a joining local cluster", { local: "2", join: ["a:1"] }, "--join"],
  ["no room for ports", { local: "3", listen: "127.0.0.1:65530" }, "65530"],
  ["an unknown log level", { logLevel: "loud" }, "loud"],
  ["an unknown store", { store: "redis://a" }, "redis"],
])("%s is a usage error that says so", (_, raw, named) => {
  expect(() => startOptions(raw, around)).toThrow(
    expect.objectContaining({ code: "HAL_USAGE", message: expect.stringContaining(named) }),
  );
});

test.each([[{ store: "etcd://db:2379" }], [{ agencySize: "5" }], [{ join: ["a:1,b:2"] }]])(
  "%j is not built yet",
  (raw) => {
    expect(() => startOptions(raw, around)).toThrow(
      expect.objectContaining({ code: "HAL_NOT_BUILT" }),
    );
  },
);

test("an IPv6 address stands in brackets", () => {
  expect(address("--listen", "[::1]:0")).toEqual({ host: "::1", port: 0 });
  expect(startOptions({ listen: "[::1]:1" }, around).node.listen.host).toBe("::1");
});

test.each(["--auth.secret=x", "--secret", "--token=y", "--password"])(
  "%s is refused",
  (argument) => {
    expect(() => refuseSecrets(["start", argument])).toThrow(/every process/);
  },
);

test("a file that holds a secret may be named", () => {
  expect(() => refuseSecrets(["--auth.secret-file", "x", "--token-file=y"])).not.toThrow();
});
