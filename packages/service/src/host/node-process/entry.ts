import { connect } from "node:net";
import { limits } from "../limits.ts";
import { type ServiceData, serve } from "../worker/serve.ts";
import { channelVariable, keyVariable } from "./names.ts";
import { SocketPort } from "./socket-port.ts";

// The entry of a Node process that runs one service. It connects to the halond that started it, and ends with that.

// Every service file imports it, and it takes longer to load than all the rest.
void import("../../index.ts");
/** Time for halond to read the last that it is told. */
const readMs = 100;
const path = process.env[channelVariable] ?? "";
const key = process.env[keyVariable] ?? "";
// Neither the service nor what it starts has a use for them.
delete process.env[channelVariable];
delete process.env[keyVariable];

const port = new SocketPort();
const socket = connect(path);
socket.once("connect", () => {
  socket.write(`${key}\n`);
  port.attach(socket);
});
socket.on("error", (error) => process.stderr.write(`[halon] no way to halond: ${error.message}\n`));
// Nobody watches it any more, and the next halond does not know it.
socket.once("close", () => process.exit(1));

/**
 * Ends the process when halond has read what it was told, or soon.
 *
 * An exit with something unread would reset the connection, and halond lose what it has not read yet.
 */
function ended(code: number): void {
  socket.removeAllListeners("close");
  socket.once("close", () => process.exit(code));
  socket.end();
  setTimeout(() => process.exit(code), readMs);
}

const begin = (message: unknown): void => {
  port.off("message", begin);
  run((message as { service: ServiceData }).service);
};
port.on("message", begin);

function run(data: ServiceData): void {
  const beat = (): void => {
    const { heapUsed, external } = process.memoryUsage();
    const memoryKib = Math.ceil((heapUsed + external) / 1_024);
    port.postMessage({ event: { type: "beat", memoryKib } });
  };
  const served = serve({
    data,
    port,
    write: (text) => process.stdout.write(text),
    ended,
  });
  process.on("uncaughtException", (error: unknown) => {
    // A service that listens itself has decided that it goes on.
    if (process.listenerCount("uncaughtException") === 1) served.crash(error);
  });
  setInterval(beat, limits.beatEveryMs);
  beat();
}
