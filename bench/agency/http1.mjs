// HTTP/1.1 requests over a plain socket: one at a time, made beforehand, so that the load costs little.
import { connect } from "node:net";

const endOfHead = Buffer.from("\r\n\r\n");
const endOfChunks = Buffer.from("\r\n0\r\n\r\n");

/** The bytes of a POST, or of a GET when there is no body. */
export function request(path, host, body) {
  const head = `${body === undefined ? "GET" : "POST"} ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
  if (body === undefined) return Buffer.from(`${head}\r\n`);
  const type = "Content-Type: application/json\r\n";
  return Buffer.from(`${head}${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/**
 * A connection that has one request on its way. `send` takes the bytes of one, `onAnswer(status, answer)` is called
 * with the whole answer, whose body begins at `answer.indexOf("\r\n\r\n") + 4`; `onClose(error?)` once.
 */
export function openHttp1({ host, port }, { onOpen, onAnswer, onClose }) {
  const socket = connect({ host, port, noDelay: true }, onOpen);
  let rest;
  let missing = 0;
  socket.on("data", (chunk) => {
    rest = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    if (rest.length < missing || !isWhole(rest)) return;
    const answer = rest;
    rest = undefined;
    missing = 0;
    onAnswer((answer[9] - 48) * 100 + (answer[10] - 48) * 10 + (answer[11] - 48), answer);
  });
  const isWhole = (answer) => {
    const head = answer.indexOf(endOfHead);
    if (head < 0) return false;
    const length = contentLength(answer, head);
    if (length === undefined) return answer.subarray(-endOfChunks.length).equals(endOfChunks);
    missing = head + endOfHead.length + length;
    return answer.length >= missing;
  };
  let failure;
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => onClose(failure));
  return { send: (bytes) => socket.write(bytes), close: () => socket.destroy() };
}

/** Undefined for a body in chunks. */
function contentLength(answer, head) {
  const text = answer.latin1Slice(0, head + 2);
  const found = /\r\ncontent-length: *(\d+)\r\n/i.exec(text);
  if (found !== null) return Number(found[1]);
  return /\r\ntransfer-encoding: *chunked\r\n/i.test(text) ? undefined : 0;
}

/** One request on a connection of its own: `{ status, headers, text }`. Rejects when the connection closes before. */
export function fetchOnce({ host, port }, path, body, timeoutMs = 10_000) {
  return new Promise((resolve, reject) => {
    const connection = openHttp1(
      { host, port },
      {
        onOpen: () => connection.send(request(path, `${host}:${port}`, body)),
        onAnswer: (status, answer) => {
          const head = answer.indexOf(endOfHead);
          const headers = answer.latin1Slice(0, head);
          resolve({ status, headers, text: unchunked(headers, answer.toString("utf8", head + 4)) });
          connection.close();
        },
        onClose: (error) => {
          clearTimeout(timer);
          reject(error ?? new Error(`${host}:${port} closed the connection`));
        },
      },
    );
    const timer = setTimeout(() => connection.close(), timeoutMs);
  });
}

function unchunked(headers, text) {
  if (!/transfer-encoding: *chunked/i.test(headers)) return text;
  let at = 0;
  let whole = "";
  for (;;) {
    const end = text.indexOf("\r\n", at);
    const length = Number.parseInt(text.slice(at, end), 16);
    if (!(length > 0)) return whole;
    whole += text.slice(end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
}
