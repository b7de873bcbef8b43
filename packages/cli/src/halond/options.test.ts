import { expect, test } from "vitest";
import { address } from "./common-options.ts";
import { refuseSecrets, startOptions } from "./options.ts";

const around = { hostname: "Db_1.example", directory: "/srv", isTerminal: false };

test("what is not set stays so: it comes from the node's setup, or has its default there", () => {
  expect(startOptions({}, around)).toEqual({
    local: undefined,
    apply: [],
    node: {
      name: undefined,
      dataDir: "/srv/halon-data",
      listen: undefined,
      advertise: undefined,
      labels: {},
      allowRun: undefined,
      join: [],
      agencySize: undefined,
      local: undefined,
      store: undefined,
      forgetSetup: false,
      insecure: false,
      log: { level: "info", format: "json", file: undefined },
    },
  });
});

test("addresses to join may be repeated or separated by commas; the port may be left out", () => {
  const join = ["db-2,DB-1:9000", "[::1]", "10.0.0.1:08528", "db-2:8528"];
  expect(startOptions({ join }, around).node.join).toEqual([
    "db-2:8528",
    "db-1:9000",
    "[::1]:8528",
    "10.0.0.1:8528",
  ]);
});

test.each([
  ["file:///etc/passwd"],
  ["http://10.0.0.1:8528"],
  ["unix:/run/x.sock"],
  ["/run/x.sock"],
  ["db-1:8528/id"],
  ["user@db-1:8528"],
  ["db-1:8528,"],
  [""],
])("%j is no address to join", (text) => {
  expect(() => startOptions({ join: [text] }, around)).toThrow(
    expect.objectContaining({ code: "HAL_USAGE", message: expect.stringContaining("--join") }),
  );
});

test.each([
  ["a port that is too large", { listen: "127.0.0.1:65536" }, "65535"],
  ["a negative port", { listen: "127.0.0.1:-1" }, "HOST:PORT"],
  ["a port that is none", { listen: "127.0.0.1:8528a" }, "8528a"],
  ["a listener for other machines", { listen: "0.0.0.0:8528" }, "--insecure"],
  ["an advertised port of 0", { advertise: "db-1:0" }, "port"],
  ["a joined port of 0", { join: ["db-1:0"] }, "--join"],
  ["a name with a path", { name: "../x" }, "--name"],
  ["an empty name", { name: "" }, "--name"],
  ["a label without value", { label: ["zone"] }, "KEY=VALUE"],
  ["a label that is given twice", { label: ["zone=a", "zone=b"] }, "--label zone is given twice"],
  ["an even agency", { agencySize: "2" }, "1, 3, 5 or 7"],
  ["a word as agency size", { agencySize: "three" }, "1, 3, 5 or 7"],
  ["no local nodes", { local: "0" }, "--local"],
  ["a joining local cluster", { local: "2", join: ["a:1"] }, "--join"],
  ["no room for ports", { local: "3", listen: "127.0.0.1:65530" }, "65530"],
  ["an unknown log level", { logLevel: "loud" }, "loud"],
  ["an unknown store", { store: "redis://a" }, "redis"],
  ["a store with a password", { store: "etcd://me:secret@db:2379" }, "credentials"],
  ["more tracking nodes than there are", { local: "3", agencySize: "5" }, "--agency-size 5"],
  ["all addresses without a port", { local: "3", listen: "0.0.0.0:0", insecure: true }, "port"],
])("%s is a usage error that says so", (_, raw, named) => {
  expect(() => startOptions(raw, around)).toThrow(
    expect.objectContaining({ code: "HAL_USAGE", message: expect.stringContaining(named) }),
  );
});

test.each([
  [{ store: "etcd://db-1:2379,db-2:2379" }, { store: "etcd://db-1:2379,db-2:2379" }],
  [{ store: "embedded" }, { store: "embedded" }],
  [{ agencySize: "5" }, { agencySize: 5 }],
  [{ localNode: "2" }, { local: 2 }],
  [{ forgetSetup: true }, { forgetSetup: true }],
])("%j is taken", (raw, node) => {
  expect(startOptions(raw, around).node).toMatchObject(node);
});

test("an IPv6 address stands in brackets", () => {
  expect(address("--listen", "[::1]:0")).toEqual({ host: "::1", port: 0 });
  expect(startOptions({ listen: "[::1]:1" }, around).node.listen?.host).toBe("::1");
});

test("the file of --allow-run is found from where halond is started", () => {
  const { allowRun } = startOptions({ allowRun: "conf/allow.yaml" }, around).node;
  expect(allowRun).toBe("/srv/conf/allow.yaml");
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
