import { createServer } from "node:http";

const server = createServer((_request, response) => {
  response.end(`${process.env.TEXT} (process ${process.pid})\n`);
});

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
