import { join } from "node:path";
import { expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { argumentsOf, localNode, shellLine, startLocal } from "./local.ts";
import { startOptions } from "./options.ts";

const fakeNode = join(import.meta.dirname, "../../testdata/fake-node.mjs");
const around = { hostname: "h", directory: "/srv", isTerminal: false };

test("nodes of a local cluster stand 10 ports apart, each with its own directory", () => {
  const options = startOptions({ local: "2", logFile: "h.log" }, around);
  expect(localNode(options, 2, ["127.0.0.1:8528"])).toMatchObject({
    name: "node-2",
    dataDir: "/srv/halon-data/node-2",
    listen: { port: 8538 },
    join: ["127.0.0.1:8528"],
    log: { file: "/srv/h.log.node-2" },
  });
});

test("port 0 stays 0 for every node", () => {
  const options = startOptions({ local: "2", listen: "127.0.0.1:0" }, around);
  expect(localNode(options, 2, []).listen.port).toBe(0);
});

test("the printed command survives a shell", () => {
  expect(shellLine(["halond", "a b", "it's", "--x=/y"])).toBe(`halond 'a b' 'it'\\''s' --x=/y`);
});

test("the command line of a node gives its options again", () => {
  const raw = { listen: "[::1]:7", label: ["zone=a"], join: ["a:1"], insecure: true };
  const { node } = startOptions(raw, around);
  expect(argumentsOf({ ...node, name: "node-1" }).join(" ")).toBe(
    "start --name node-1 --data-dir /srv/halon-data --listen [::1]:7 --join a:1 --label zone=a --insecure --log.level info --log.format json",
  );
});

test("a launcher says when all are ready, how to start again what died, and leaves nothing behind", async () => {
  const { io, written, until } = memoryIo();
  const options = startOptions({ local: "3", listen: "127.0.0.1:9100" }, around);
  const ended = startLocal({ ...options, local: 3 }, [process.execPath, fakeNode], io);
  await until("out", /cluster ready endpoint=http:\/\/127\.0\.0\.1:9100 dashboard=none\n/);
  const pids: number[] = [];
  for (const name of ["node-1", "node-2", "node-3"]) {
    pids.push(Number((await until("err", new RegExp(`${name} \\| pid (\\d+)`)))[1]));
  }
  expect(written.out.match(/^halond ready /gm)).toHaveLength(3);
  process.kill(pids[1] ?? 0, "SIGKILL");
  const [, command] = await until("err", /node-2 was ended by SIGKILL\. .*\n {2}(.*)\n/);
  expect(command).toContain("--name node-2 ");
  expect(command).toContain("--join 127.0.0.1:9100 ");
  process.emit("SIGTERM");
  expect(await ended).toBe(0);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("a node that does not become ready ends the others", async () => {
  const { io } = memoryIo();
  const options = startOptions({ local: "2" }, around);
  const program = [process.execPath, "-e", "process.exit(3)", "--"];
  await expect(startLocal({ ...options, local: 2 }, program, io)).rejects.toMatchObject({
    code: "HAL_FAILED",
    message: expect.stringContaining("ended with code 3"),
  });
});
