// What three Node processes can do that only append, fsync and replicate: no terms, no tree, no checks, no recovery.
//   node ceiling.mjs follower <file>              prints its port
//   node ceiling.mjs leader <file> <port> <port>  prints the port of its HTTP server
import { fdatasyncSync, openSync, writeSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";

const [role, file, ...followerPorts] = process.argv.slice(2);
/** Zero-filled once and written round and round: a growing file would pay for its metadata. */
const logBytes = 64 * 1024 * 1024;

const log = openLog();
if (role === "leader") lead();
else follow();

function openLog() {
  const fd = openSync(file, "w");
  const zeros = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < logBytes; at += zeros.length) writeSync(fd, zeros, 0, zeros.length, at);
  fdatasyncSync(fd);
  let at = 0;
  return {
    append(bytes) {
      if (at + bytes.length > logBytes) at = 0;
      writeSync(fd, bytes, 0, bytes.length, at);
      fdatasyncSync(fd);
      at += bytes.length;
    },
  };
}

/** Answers a request when its turn's frame is durable here and on one of two followers. */
function lead() {
  const acknowledged = followerPorts.map(() => 0);
  const waiting = [];
  let bodies = [];
  let answers = [];
  let frame = 0;
  const followers = followerPorts.map((port, at) => {
    const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk) => {
      acknowledged[at] = Math.max(acknowledged[at], chunk.readUInt32LE(chunk.length - 4));
      commit();
    });
    return socket;
  });
  const commit = () => {
    const committed = Math.max(...acknowledged);
    while (waiting.length > 0 && waiting[0].frame <= committed)
      for (const answer of waiting.shift().answers) answer.end('{"results":[1]}');
  };
  const turn = () => {
    const length = bodies.reduce((sum, body) => sum + body.length, 8);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(length, 0);
    head.writeUInt32LE(++frame, 4);
    const bytes = Buffer.concat([head, ...bodies], length);
    waiting.push({ frame, answers });
    bodies = [];
    answers = [];
    for (const follower of followers) follower.write(bytes);
    log.append(bytes);
  };
  const server = createHttpServer((request, response) => {
    let body;
    request.on("data", (chunk) => {
      body = body === undefined ? chunk : Buffer.concat([body, chunk]);
    });
    request.on("end", () => {
      if (answers.push(response) === 1) setImmediate(turn);
      bodies.push(body);
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

/** Writes all whole frames of a turn at once and acknowledges the last. */
function follow() {
  const server = createServer({ noDelay: true }, (socket) => {
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      let last = 0;
      while (bytes.length - at >= 8) {
        const length = bytes.readUInt32LE(at);
        if (bytes.length - at < length) break;
        last = bytes.readUInt32LE(at + 4);
        at += length;
      }
      rest = bytes.subarray(at);
      if (at === 0) return;
      log.append(bytes.subarray(0, at));
      const answer = Buffer.alloc(4);
      answer.writeUInt32LE(last);
      socket.write(answer);
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}
