import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";

/** What a probe found; `detail` says why it is not well. */
export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly detail: string };

/** Whether something accepts connections on this port of the machine. Never rejects. */
export function probeTcp(port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const timer = setTimeout(() => end(late(`port ${port}`, timeoutMs)), timeoutMs);
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => end({ ok: true }));
    socket.once("error", (error) => end({ ok: false, detail: `port ${port}: ${error.message}` }));
  });
}

/** Whether a GET answers with 2xx in time; the body is not read. Never rejects. */
export function probeHttp(url: string, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const send = url.startsWith("https:") ? httpsRequest : httpRequest;
    // Without an agent: a kept connection would tell of the process as it was, not as it is.
    const request = send(url, { agent: false });
    const timer = setTimeout(() => end(late(url, timeoutMs)), timeoutMs);
    const end = (result: ProbeResult) => {
      clearTimeout(timer);
      request.destroy();
      resolve(result);
    };
    request.once("response", ({ statusCode = 0 }) => {
      const ok = statusCode >= 200 && statusCode < 300;
      end(ok ? { ok } : { ok, detail: `${url} answered ${statusCode}` });
    });
    // Stays: destroying the request before its answer is an error of its own.
    request.on("error", (error) => end({ ok: false, detail: `${url}: ${error.message}` }));
    request.end();
  });
}

function late(what: string, timeoutMs: number): ProbeResult {
  return { ok: false, detail: `${what} did not answer within ${timeoutMs} ms` };
}
