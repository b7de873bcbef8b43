import type { AgencyEnd } from "@halon/node/agency";
import { expect, test } from "vitest";
import { memoryIo } from "../../../testdata/memory-io.ts";
import { deferred } from "../../deferred.ts";
import { runAgency } from "./start.ts";

function fakeMember() {
  const ended = deferred<AgencyEnd>();
  const count = { stops: 0, reopened: 0 };
  const start = () =>
    Promise.resolve({
      name: "a1",
      id: "AGNT-1",
      endpoint: "127.0.0.1:8531",
      ended: ended.promise,
      reopenLog: () => void count.reopened++,
      stop: () => Promise.resolve(void count.stops++),
    });
  return { start, ended, count };
}

test("a member that is open says so in one line, and SIGTERM stops it", async () => {
  const { io, written, until } = memoryIo();
  const { start, count } = fakeMember();
  const exit = runAgency(start, io);
  await until("out", /\n/);
  expect(written.out).toBe(
    "halond ready name=a1 endpoint=http://127.0.0.1:8531 role=agency id=AGNT-1\n",
  );
  process.emit("SIGHUP");
  process.emit("SIGTERM");
  expect(await exit).toBe(0);
  expect(count).toEqual({ stops: 1, reopened: 1 });
});

test("a member that ends by itself says why, and with which code", async () => {
  const { io, written, until } = memoryIo();
  const { start, ended, count } = fakeMember();
  const exit = runAgency(start, io);
  await until("out", /\n/);
  ended.resolve({ reason: "The agency has removed this member.", exitCode: 4 });
  expect(await exit).toBe(4);
  expect(written.err).toBe("halond: The agency has removed this member.\n");
  expect(count.stops).toBe(1);
});
