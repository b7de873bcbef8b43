// Unary gRPC calls over a plain socket (RFC 9113, RFC 7541): cheaper than node:http2, so that the load is not the limit.
import { connect } from "node:net";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7 };
const endStream = 1;
const endHeaders = 4;
const ack = 1;
const window = 0x7fffffff;
/** What the peer lets us send before it has read anything; calls on their way must fit. */
const sendWindow = 65_535;

/** `PutRequest { key = 1, value = 2 }`, framed. */
export function putRequest(key, value) {
  return message(Buffer.concat([field(1, key), field(2, value)]));
}

/** `RangeRequest { key = 1 }`, framed; linearizable by default. */
export function rangeRequest(key) {
  return message(field(1, key));
}

function message(body) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function field(number, text) {
  const bytes = Buffer.from(text);
  const length =
    bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

/**
 * A connection that calls one method. `send(message, slot)` begins a call; `onAnswer(slot, bytes)` tells how many
 * bytes of answer came, 0 for a failed call. Calls begun in one turn of the event loop go out together.
 */
export function openGrpc({ host, port, path }, { onOpen, onAnswer, onClose }) {
  const socket = connect({ host, port, noDelay: true });
  const slots = new Map();
  const received = new Map();
  let stream = 1;
  let out = [];
  const flush = () => {
    socket.write(out.length === 1 ? out[0] : Buffer.concat(out));
    out = [];
  };
  const queue = (bytes) => {
    if (out.push(bytes) === 1) process.nextTick(flush);
  };
  const send = (body, slot) => {
    const headers = stream === 1 ? firstHeaders(path, `${host}:${port}`) : nextHeaders;
    const call = Buffer.allocUnsafe(18 + headers.length + body.length);
    headers.copy(call, writeHead(call, 0, headers.length, frame.headers, endHeaders, stream));
    const at = writeHead(call, 9 + headers.length, body.length, frame.data, endStream, stream);
    body.copy(call, at);
    slots.set(stream, slot);
    stream += 2;
    if (slots.size * call.length > sendWindow) throw new Error("too many calls on one connection");
    queue(call);
  };
  socket.on("connect", () => {
    queue(Buffer.concat([Buffer.from(preface), settings(), windowUpdate()]));
    onOpen();
  });
  const end = (id) => {
    const slot = slots.get(id);
    const bytes = received.get(id) ?? 0;
    slots.delete(id);
    received.delete(id);
    onAnswer(slot, bytes);
  };
  onFrames(socket, (type, flags, id, body) => {
    if (type === frame.settings && flags !== ack) queue(framed(frame.settings, ack, 0));
    if (type === frame.ping && flags !== ack) queue(framed(frame.ping, ack, 0, body));
    if (type === frame.data) received.set(id, (received.get(id) ?? 0) + body.length);
    if (type === frame.goAway) socket.destroy();
    const ends = (type === frame.headers || type === frame.data) && (flags & endStream) !== 0;
    if (ends || type === frame.reset) end(id);
  });
  let failure;
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => onClose(failure));
  return { send, close: () => socket.destroy() };
}

function onFrames(socket, take) {
  let rest;
  socket.on("data", (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at - 9 < length) break;
      const body = bytes.subarray(at + 9, at + 9 + length);
      take(bytes[at + 3], bytes[at + 4], bytes.readUInt32BE(at + 5), body);
      at += 9 + length;
    }
    rest = at === bytes.length ? undefined : bytes.subarray(at);
  });
}

function settings() {
  const body = Buffer.alloc(12);
  body.writeUInt16BE(2, 0); // ENABLE_PUSH = 0
  body.writeUInt16BE(4, 6); // INITIAL_WINDOW_SIZE
  body.writeUInt32BE(window, 8);
  return framed(frame.settings, 0, 0, body);
}

function windowUpdate() {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(window - 65_535);
  return framed(8, 0, 0, body);
}

function framed(type, flags, id, body = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  writeHead(head, 0, body.length, type, flags, id);
  return Buffer.concat([head, body]);
}

function writeHead(into, at, length, type, flags, id) {
  into.writeUIntBE(length, at, 3);
  into[at + 3] = type;
  into[at + 4] = flags;
  return into.writeUInt32BE(id, at + 5);
}

/** Puts the four headers that are not in the static table into the peer's dynamic table (RFC 7541 §6.2.1). */
function firstHeaders(path, authority) {
  const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST, :scheme http
    ...[Buffer.from([0x44]), text(path), Buffer.from([0x41]), text(authority)],
    ...[Buffer.from([0x5f]), text("application/grpc")],
    ...[Buffer.from([0x40]), text("te"), text("trailers")],
  ]);
}

/** The same headers by their places in the tables; the newest entry is 62. */
const nextHeaders = Buffer.from([0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]);
