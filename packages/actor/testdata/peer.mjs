// A node of its own: connects to the url given, and has a process "echo".
import { connectLink, createSystem } from "../dist/index.js";

const [url, node] = process.argv.slice(2);
const system = createSystem({ node, incarnation: 1 });
system.spawn(() => ({ receive: (message) => message }), { name: "echo" });
const link = await connectLink({
  url,
  hello: {
    protocol: 1,
    cluster: null,
    node,
    incarnation: 1,
    class: "control",
    address: "127.0.0.1:0",
  },
});
system.attach(link);
