import { request } from "node:http";

const timeoutMs = 2_000;
const callsMax = 100;
let callCount = 0;

/** Posts a body to an observer: best effort, once, and no more than a hundred at a time. */
export function tellObserver(url: string, body: string): void {
  if (!URL.canParse(url) || !url.startsWith("http://") || callCount >= callsMax) return;
  callCount += 1;
  const call = request(url, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    timeout: timeoutMs,
    agent: false,
  });
  call.on("timeout", () => call.destroy());
  call.on("response", (response) => response.resume());
  call.on("error", () => undefined);
  call.on("close", () => {
    callCount -= 1;
  });
  call.end(body);
}
