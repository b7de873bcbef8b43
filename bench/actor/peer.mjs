// The other node: listens for links, runs the counter, and tells its port.
import { WebSocketServer } from "ws";
import { acceptLink, createSystem, linkServerOptions } from "../../packages/actor/dist/index.js";
import { behaviour } from "./counter.mjs";

const system = createSystem({ node: "peer", incarnation: 1 });
system.spawn(behaviour, { name: "counter", mailboxMax: 100_000 });
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...linkServerOptions });
const hello = { protocol: 1, cluster: null, node: "peer", incarnation: 1, address: "127.0.0.1:0" };
server.on("connection", async (ws) => system.attach(await acceptLink(ws, { hello })));
server.on("listening", () => process.send(server.address().port));
process.on("disconnect", () => process.exit(0));
