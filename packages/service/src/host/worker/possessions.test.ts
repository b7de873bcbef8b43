import { createServer } from "node:net";
import { expect, test } from "vitest";
import { createPossessions } from "./possessions.ts";

test("timers and handles are ended, those that ended before are no trouble", async () => {
  const fired: string[] = [];
  const possessions = createPossessions();
  const gone = setTimeout(() => fired.push("gone"), 0);
  clearTimeout(gone);
  for (const each of [
    gone,
    setTimeout(() => fired.push("timeout"), 1),
    setInterval(() => fired.push("interval"), 1),
    setImmediate(() => fired.push("immediate")),
  ]) {
    possessions.add(each);
  }
  const closed: string[] = [];
  possessions.add({ close: () => closed.push("handle") });
  possessions.add({ kill: (signal: number) => closed.push(`child by ${signal}`), close() {} });
  possessions.add({
    close() {
      throw new Error("closed before");
    },
  });
  possessions.end();
  possessions.end();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(fired).toEqual([]);
  expect(closed).toEqual(["handle", "child by 9"]);
});

test("what a listening server holds is among them", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  const handle = (server as unknown as { _handle: object })._handle;
  const possessions = createPossessions();
  possessions.add(handle);
  possessions.end();
  const again = createServer();
  await new Promise<void>((resolve, reject) => {
    again.on("error", reject).listen(port, resolve);
  });
  again.close();
});
