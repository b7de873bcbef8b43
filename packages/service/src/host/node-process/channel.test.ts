import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Home, openHome } from "../process/testing.ts";
import { type Channel, openChannel } from "./channel.ts";

let home: Home;
let channel: Channel;
beforeEach(() => {
  home = openHome();
  channel = openChannel(home.path);
});
afterEach(() => {
  channel.close();
  home.close();
});

const path = () => join(home.path, channel.env["HALON_CHANNEL"] ?? "");

async function knock(key = channel.env["HALON_CHANNEL_KEY"]): Promise<Socket> {
  const socket = connect(path());
  await once(socket, "connect");
  socket.write(`${key}\n`);
  return socket;
}

test("who knows the key is let in, and hears what was said before", async () => {
  channel.port.postMessage({ early: 1 });
  const socket = await knock();
  const [bytes] = await once(socket, "data");
  expect(String(bytes)).toBe('{"early":1}\n');
  const heard = new Promise((resolve) => channel.port.on("message", resolve));
  socket.write('{"a":\n');
  // No JSON: whatever it is, it is not the service side.
  await channel.closed;
  channel.port.close();
  await Promise.race([heard.then(() => expect.unreachable()), once(socket, "close")]);
});

test("messages in pieces and together arrive whole and in order", async () => {
  const socket = await knock();
  const heard: unknown[] = [];
  const third = new Promise<void>((resolve) =>
    channel.port.on("message", (message) => {
      if (heard.push(message) === 3) resolve();
    }),
  );
  socket.write('{"n":1}\n{"n"');
  socket.write(':2}\n{"n":3}\n');
  await third;
  expect(heard).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  socket.destroy();
  await channel.closed;
});

test("a stranger is turned away, and does not take the place of the child", async () => {
  const stranger = await knock("0".repeat(32));
  await once(stranger, "close");
  const child = await knock();
  channel.port.postMessage({ n: 1 });
  await once(child, "data");
  child.destroy();
});

test("only one is let in, and the socket is gone from then on", async () => {
  const child = await knock();
  channel.port.postMessage({ n: 1 });
  await once(child, "data");
  expect(existsSync(path())).toBe(false);
  await expect(knock()).rejects.toMatchObject({ code: "ENOENT" });
  child.destroy();
});

test("a message over the limit ends the way", async () => {
  const child = await knock();
  child.on("error", () => undefined);
  child.write(`"${"x".repeat(16_777_300)}"\n`);
  await channel.closed;
});

test("the path of the directory may be longer than that of a socket", () => {
  const long = join(home.path, "d".repeat(200));
  mkdirSync(long);
  const other = openChannel(long);
  expect(existsSync(join(long, "node.sock"))).toBe(true);
  other.close();
  expect(existsSync(join(long, "node.sock"))).toBe(false);
});
