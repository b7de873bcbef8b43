// Holds the socket of its service name for as long as anything of its process group runs.
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";

const { RUN, ORACLE, HELPER, HALON_NODE, HALON_SERVICE, HALON_INSTANCE } = process.env;
const name = `halon-chaos-${RUN}-${HALON_NODE}-${HALON_SERVICE}`;

const server = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.write(`${HALON_INSTANCE}\n`);
});

server.once("error", (error) => {
  const line = `OVERLAP ${name} wanted by ${HALON_INSTANCE}, process ${process.pid}: ${error.message}\n`;
  appendFileSync(ORACLE, line);
  // It goes on, so that the graph and what runs can be compared all the same.
  setInterval(() => undefined, 60_000);
  process.stdout.write("ready\n");
});

server.listen(`\0${name}`, () => {
  // The helper inherits the socket: the name is free only when the whole group is gone.
  if (HELPER === "yes") {
    spawn("sh", ["-c", "trap '' TERM; exec sleep 100000"], {
      stdio: ["ignore", "ignore", "ignore", server._handle.fd],
    });
  }
  process.stdout.write("ready\n");
});

process.on("SIGTERM", () => process.exit(0));
